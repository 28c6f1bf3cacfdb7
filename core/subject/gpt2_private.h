/* gpt2_private.h - what loading (gpt2_load.c) hands to the forward pass (gpt2.c). */
#ifndef GLIA_SUBJECT_GPT2_PRIVATE_H
#define GLIA_SUBJECT_GPT2_PRIVATE_H

#include "core/subject/gpt2.h"
#include "core/subject/safetensors.h"

/* Matrices are [in][out], as GPT-2's Conv1D stores them: a row of activations times the matrix. */
typedef struct {
    const float *norm_1_gain, *norm_1_bias; /* [width] */
    const float *attend;                    /* [width][3 * width]: queries, keys, values */
    const float *attend_bias;               /* [3 * width] */
    const float *merge;                     /* [width][width] */
    const float *merge_bias;                /* [width] */
    const float *norm_2_gain, *norm_2_bias; /* [width] */
    const float *up;                        /* [width][neurons] */
    const float *up_bias;                   /* [neurons] */
    const float *down;                      /* [neurons][width]; NULL in the last layer */
    const float *down_bias;                 /* [width]; NULL in the last layer */
    float attention_scale;                  /* of query times key */
} gpt2_layer_t;

typedef struct {
    const safetensors_tensor_t *tensor;
    const float **place; /* in the model */
} gpt2_pending_t;

struct gpt2 {
    gpt2_shape_t shape;
    /* attention_scale is over sqrt(width / heads), over (layer + 1) */
    bool scale_by_size, scale_by_layer;
    const float *token_embedding;    /* [vocabulary][width] */
    const float *position_embedding; /* [context][width] */
    gpt2_layer_t *layers;            /* [shape.layers] */
    subject_files_t *files;          /* borrowed */
    safetensors_t *tensors;          /* NULL: all weights are where they are used */
    /* [pending_count]: weights that gpt2_convert() has to convert */
    gpt2_pending_t *pending;
    size_t pending_count;
    float **owned; /* [owned_count]: weights that were converted */
    size_t owned_count;
    size_t owned_size, mapped_size; /* bytes */
    hash_t identity;
};

#endif
