/* message.h - a list of chat messages: what is asked, apart from where and with
 * which parameters. */
#ifndef GLIA_LLM_MESSAGE_H
#define GLIA_LLM_MESSAGE_H

#include <stddef.h>

typedef struct {
    char *role;    /* "system", "developer", "user", "assistant" */
    char *content; /* bytes, terminated by a NUL that does not count */
    size_t length;
} message_t;

typedef struct {
    size_t count;
    message_t *messages; /* [count], owned */
} message_list_t;

/* Appends a message; copies both. */
void message_list_add(message_list_t *list, const char *role, const char *content, size_t length);
/* releases; the list is empty and usable again */
void message_list_clear(message_list_t *list);
size_t message_list_bytes(const message_list_t *list); /* sum of the contents' lengths */

#endif
