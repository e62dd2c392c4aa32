// SPDX-License-Identifier: Apache-2.0
// What operators take into themselves: a layer the batch norm, the residual and the activation behind it. Which follow each other
// where is decided in quant/fuse.cpp; what may be taken and what becomes of the parameters, here.
#pragma once

#include "engine/model.h"
#include "kernels/geometry.h"

namespace octet {

/// Whether the operator could end in an activation and has none yet.
bool takes_activation(const Op&);
/// The activation that the operator ends in, or is, becomes this one. Throws if it has no place for one.
void set_activation(Op&, Activation);

/// Whether the layer can add a second input before its activation, and does not yet.
bool takes_residual(const Op&);
/// The second input's wire is the caller's business.
void take_residual(Op&);

/// Whether the batch norm can be part of the layer: folded into its weights or, `trained`, as one operator that trains both.
bool takes_norm(const Op& layer, const Op& norm, bool trained);
/// Throws naming the module whose parameters are missing, or whose folded ones are not finite.
void take_norm(Module& layer, const Module& norm, bool trained);

/// A batch norm of pictures or sequences with running statistics is a depthwise layer of one position: whether this module is one;
/// becomes it. Throws as take_norm does.
bool is_picture_norm(const Module&);
void become_layer(Module& norm);

/// A layer in the form that trains becomes the one that is deployed: batch norm folded into weight and bias. Every other operator
/// stays as it is.
void deploy(Module&);
/// The model with every module in that form; hooks stay where they are.
Model deployed(Model);

/// The geometry of a weighted sum; a linear layer is a convolution of one position a row. Throws naming `path` if the input does
/// not fit or the operator is none.
ConvGeometry product_geometry(const Op&, const Shape& input, std::string_view path);

/// Gives a layer a bias, if it has none: its attribute alone.
void add_bias(Op&);

}  // namespace octet
