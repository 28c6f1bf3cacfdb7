/* message.c - a growing list of chat messages. */
#include "core/llm/message.h"

#include <stdlib.h>

#include "core/base/memory.h"

void message_list_add(message_list_t *list, const char *role, const char *content, size_t length) {
    list->messages = memory_resize(list->messages, list->count + 1, sizeof list->messages[0]);
    list->messages[list->count++] = (message_t){.role = memory_copy_string(role),
                                                .content = memory_copy(content, length),
                                                .length = length};
}

void message_list_clear(message_list_t *list) {
    for (size_t i = 0; i < list->count; i++) {
        free(list->messages[i].role);
        free(list->messages[i].content);
    }
    free(list->messages);
    *list = (message_list_t){0};
}

size_t message_list_bytes(const message_list_t *list) {
    size_t bytes = 0;
    for (size_t i = 0; i < list->count; i++)
        bytes += list->messages[i].length;
    return bytes;
}
