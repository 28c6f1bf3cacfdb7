/* models.h - which models the stand-in serves, and what it bills for them. */
#ifndef GLIA_STANDIN_MODELS_H
#define GLIA_STANDIN_MODELS_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/buffer.h"
#include "core/base/error.h"
#include "core/llm/prices.h"

typedef struct standin_models standin_models_t;

/* Starts with the stand-in's own models and their prices. Never NULL. */
standin_models_t *standin_models_create(void);
void standin_models_free(standin_models_t *models);
/* "model=input,cached,output" in dollars per million tokens; a new name is served from now on.
 * Errors (USAGE): not of this form. */
bool standin_models_price(standin_models_t *models, const char *assignment, error_info_t *error);
/* "a,b,c": these and no others. Errors (USAGE): one has no price. */
bool standin_models_restrict(standin_models_t *models, const char *names, error_info_t *error);
/* False: not served. */
bool standin_models_find(const standin_models_t *models, const char *name, price_t *price);
/* Appends {"object": "list", "data": [...]}, or one model's object if `name` is not NULL. */
void standin_models_write(const standin_models_t *models, const char *name, buffer_t *out);

#endif
