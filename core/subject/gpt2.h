/* gpt2.h - the forward pass of GPT-2, up to the neurons of the last layer.
 *
 * Layer l, with x the residual stream [tokens][width]:
 *     x += attention(layer_norm(x));  a = gelu(layer_norm(x) up + bias);  x += a down + bias
 * `a` [tokens][neurons] are the post-GELU activations that are recorded. What they do not depend on
 * (the last layer's `down`, the final layer norm, the LM head) is neither loaded nor computed.
 *
 * The numbers depend on the weights, the tokens, the length of the excerpts, how many are in a
 * batch (OpenBLAS sums in another order for another shape) and OpenBLAS's kernels (matrix_core());
 * not on threads, other excerpts' contents or the processor's vector width: glia's own loops round
 * alike everywhere. They agree with PyTorch's float32 to 1e-4 relative + 1e-5 absolute.
 */
#ifndef GLIA_SUBJECT_GPT2_H
#define GLIA_SUBJECT_GPT2_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/base/hash.h"
#include "core/subject/subject_files.h"

/* gelu_new: x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) (Hendrycks and Gimpel 2016); gelu: x/2
 * (1 + erf(x/sqrt 2)).
 */
typedef enum { GPT2_GELU_NEW, GPT2_GELU } gpt2_gelu_t;

typedef struct {
    size_t layers, width, heads; /* `heads` divides `width` */
    size_t context;              /* the longest excerpt, tokens */
    size_t vocabulary;           /* token ids are below it */
    size_t neurons;              /* of one layer; 4 * width unless n_inner says otherwise */
    double epsilon;              /* of the layer norms */
    gpt2_gelu_t gelu;
} gpt2_shape_t;

typedef struct gpt2 gpt2_t; /* immutable once it is loaded: any number of threads at once */

/* Opens config.json and the weights (safetensors.h; F32, F16 or BF16; names with or without
 * "transformer."). Weights in aligned F32 are used where they are mapped; others wait for
 * gpt2_convert(), so that a model can be checked and identified without the memory that it takes to
 * compute. `files` must stay open until gpt2_free(). `gelu`: "gelu_new" or "gelu" instead of the
 * config's activation_function; NULL: the config's. Reads every weight once (blocks for as long).
 * Errors (CONFIG) name the file and the key or tensor: no GPT-2, sizes that make no sense, a tensor
 * that is missing or has another shape or dtype, a weight that is NaN or infinite. */
gpt2_t *gpt2_open(subject_files_t *files, const char *gelu, error_info_t *error);
/* Before the first forward pass: converts what has to be; a file of which nothing is used in place
 * is released. Blocks. Does nothing the second time. */
void gpt2_convert(gpt2_t *model);
/* Both. */
gpt2_t *gpt2_load(subject_files_t *files, const char *gelu, error_info_t *error);
void gpt2_free(gpt2_t *model); /* NULL is allowed */

const gpt2_shape_t *gpt2_shape(const gpt2_t *model);
const char *gpt2_gelu_name(gpt2_gelu_t gelu); /* "gelu_new", "gelu" */
/* The hash of the shape and all weights that are used (in their own dtype). */
hash_t gpt2_identity(const gpt2_t *model);
/* Bytes of memory that the model holds itself (converted weights), beside `mapped` bytes of
 * weights in the files. */
size_t gpt2_memory(const gpt2_t *model, size_t *mapped);

/* Whether a tokenizer with `tokens` ids belongs to this model: no id without an embedding,
 * and no more than 1023 embeddings without a token (embeddings are often padded). Error
 * (CONFIG) otherwise. */
bool gpt2_check_vocabulary(const gpt2_t *model, size_t tokens, error_info_t *error);

/* The workspace of one worker: room for `excerpts` excerpts of `length` tokens at a time. */
typedef struct gpt2_batch gpt2_batch_t;

/* Errors (CONFIG): `length` is 0 or over the model's context; `excerpts` is 0; over 2^24 tokens. */
gpt2_batch_t *gpt2_batch_create(const gpt2_t *model, size_t excerpts, size_t length,
                                error_info_t *error);
void gpt2_batch_free(gpt2_batch_t *batch);           /* NULL is allowed */
size_t gpt2_batch_memory(const gpt2_batch_t *batch); /* bytes */

/* Called once a layer, in order, during gpt2_forward(): activations [excerpts * length][neurons],
 * token after token of excerpt after excerpt, all finite, valid during the call. */
typedef void gpt2_visit_fn(void *context, size_t layer, const float *activations);

/* tokens: [excerpts][length], each id below the vocabulary (another is a bug: aborts). Fill a last
 * batch that is not full with token 0 and ignore those excerpts: no excerpt affects another. Error
 * (FATAL): an activation is not finite, because the weights overflow float32; names the layer,
 * which is not visited. A batch is for one thread at a time. */
bool gpt2_forward(const gpt2_t *model, gpt2_batch_t *batch, const uint32_t *tokens,
                  gpt2_visit_fn *visit, void *context, error_info_t *error);

#endif
