/* models.c - a list of names and prices. */
#include "tools/standin/models.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/json.h"
#include "core/base/memory.h"

enum { CREATED = 1750000000 };

typedef struct {
    char *name;
    price_t price;
    bool served;
} model_t;

struct standin_models {
    model_t *list;
    size_t count;
};

static const char *const own_models[] = {
    "standin-chat=0.5,0.25,1.5",
    "standin-text=0.5,0.25,1.5",
    "standin-embedding=0.02,0.02,0",
};

static model_t *find(const standin_models_t *models, const char *name, size_t length) {
    for (size_t i = 0; i < models->count; i++)
        if (strlen(models->list[i].name) == length &&
            memcmp(models->list[i].name, name, length) == 0)
            return &models->list[i];
    return NULL;
}

static model_t *find_or_add(standin_models_t *models, const char *name, size_t length) {
    model_t *model = find(models, name, length);
    if (model)
        return model;
    models->list = memory_resize(models->list, models->count + 1, sizeof *models->list);
    model = &models->list[models->count++];
    *model = (model_t){.name = memory_format("%.*s", (int)length, name), .served = true};
    return model;
}

standin_models_t *standin_models_create(void) {
    standin_models_t *models = MEMORY_NEW(standin_models_t);
    for (size_t i = 0; i < sizeof own_models / sizeof own_models[0]; i++)
        standin_models_price(models, own_models[i], NULL);
    return models;
}

void standin_models_free(standin_models_t *models) {
    if (!models)
        return;
    for (size_t i = 0; i < models->count; i++)
        free(models->list[i].name);
    free(models->list);
    free(models);
}

bool standin_models_price(standin_models_t *models, const char *assignment, error_info_t *error) {
    const char *equals = strrchr(assignment, '=');
    char text[3][32];
    int read = 0;
    price_t price = {0};
    if (equals && equals != assignment &&
        sscanf(equals + 1, "%31[^,],%31[^,],%31[^,]%n", text[0], text[1], text[2], &read) == 3 &&
        equals[1 + read] == '\0' && price_per_million_parse(text[0], &price.input) &&
        price_per_million_parse(text[1], &price.cached_input) &&
        price_per_million_parse(text[2], &price.output)) {
        model_t *model = find_or_add(models, assignment, (size_t)(equals - assignment));
        model->price = price;
        model->served = true;
        return true;
    }
    return error_set(error, ERROR_USAGE,
                     "price '%s' is not MODEL=INPUT,CACHED,OUTPUT in dollars per million tokens "
                     "(\"m=0.5,0.25,1.5\")",
                     assignment);
}

bool standin_models_restrict(standin_models_t *models, const char *names, error_info_t *error) {
    for (size_t i = 0; i < models->count; i++)
        models->list[i].served = false;
    for (const char *at = names; *at != '\0';) {
        size_t length = strcspn(at, ",");
        model_t *model = find(models, at, length);
        if (!model)
            return error_set(error, ERROR_USAGE,
                             "model '%.*s' has no price; add --price %.*s=INPUT,CACHED,OUTPUT",
                             (int)length, at, (int)length, at);
        model->served = true;
        at += length;
        at += *at == ',';
    }
    return true;
}

bool standin_models_find(const standin_models_t *models, const char *name, price_t *price) {
    const model_t *model = find(models, name, strlen(name));
    if (!model || !model->served)
        return false;
    *price = model->price;
    return true;
}

static void write_model(const char *name, buffer_t *out) {
    buffer_append_text(out, "{\"id\":");
    json_write_text(out, name);
    buffer_append_format(out, ",\"object\":\"model\",\"created\":%d,\"owned_by\":\"glia-standin\"}",
                         CREATED);
}

void standin_models_write(const standin_models_t *models, const char *name, buffer_t *out) {
    if (name) {
        write_model(name, out);
        buffer_append_char(out, '\n');
        return;
    }
    buffer_append_text(out, "{\"object\":\"list\",\"data\":[");
    bool first = true;
    for (size_t i = 0; i < models->count; i++) {
        if (!models->list[i].served)
            continue;
        buffer_append_text(out, first ? "" : ",");
        write_model(models->list[i].name, out);
        first = false;
    }
    buffer_append_text(out, "]}\n");
}
