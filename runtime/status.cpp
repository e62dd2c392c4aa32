// SPDX-License-Identifier: Apache-2.0
// Names of the error codes; an object file of its own, so that firmware that prints none carries none.
#include "runtime/octet.h"

const char* octet_status_name(octet_status status) {
  switch (status) {
    case OCTET_OK: return "OCTET_OK";
    case OCTET_ERROR_NULL: return "OCTET_ERROR_NULL";
    case OCTET_ERROR_ALIGNMENT: return "OCTET_ERROR_ALIGNMENT";
    case OCTET_ERROR_ARENA: return "OCTET_ERROR_ARENA";
    case OCTET_ERROR_SIZE: return "OCTET_ERROR_SIZE";
    case OCTET_ERROR_MAGIC: return "OCTET_ERROR_MAGIC";
    case OCTET_ERROR_VERSION: return "OCTET_ERROR_VERSION";
    case OCTET_ERROR_CHECKSUM: return "OCTET_ERROR_CHECKSUM";
    case OCTET_ERROR_RECORD: return "OCTET_ERROR_RECORD";
    case OCTET_ERROR_RANGE: return "OCTET_ERROR_RANGE";
    case OCTET_ERROR_ARGUMENTS: return "OCTET_ERROR_ARGUMENTS";
    case OCTET_ERROR_BOUND: return "OCTET_ERROR_BOUND";
    case OCTET_ERROR_ROUNDING: return "OCTET_ERROR_ROUNDING";
    case OCTET_ERROR_OPERATOR: return "OCTET_ERROR_OPERATOR";
    case OCTET_ERROR_KERNEL: return "OCTET_ERROR_KERNEL";
    case OCTET_ERROR_SCRATCH: return "OCTET_ERROR_SCRATCH";
    case OCTET_ERROR_INDEX: return "OCTET_ERROR_INDEX";
  }
  return "unknown octet_status";
}
