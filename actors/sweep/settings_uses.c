/* settings_uses.c - what commands ask of loaded settings: what the run needs and makes use of. */
#include "actors/sweep/settings.h"

bool settings_need_subject(const settings_t *settings, error_info_t *error) {
    return settings->subject.model ||
           config_refuse(settings->config, "subject.model", error,
                         "there is no model to record; name its directory, or \"subject:\" for the "
                         "shipped one");
}

bool settings_records(const settings_t *settings) {
    for (size_t i = 0; i < settings->set_count; i++)
        if (settings->sets[i].recorded)
            return true;
    return false;
}

void settings_hide_secrets(const settings_t *settings, log_t *log) {
    for (size_t i = 0; i < settings->endpoint_count; i++)
        if (settings->endpoints[i].key)
            log_add_secret(log, settings->endpoints[i].key);
}

bool settings_uses_model(const settings_t *settings, size_t model) {
    if (settings->batch)
        return true;
    if ((settings->simulate && settings->simulator == model) ||
        (settings->adacs && settings->embedder == model))
        return true;
    for (size_t i = 0; i < settings->set_count; i++)
        for (size_t j = 0; j < settings->sets[i].explainer_count; j++)
            if (settings->sets[i].explainers[j] == model)
                return true;
    return false;
}
