/* gate.c - who may ask the viewer for what. */
#include "tools/viewer/gate.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "core/base/text.h"

bool gate_is_loopback(const char *address) {
    return text_starts_with(address, "127.");
}

/* "name:port" or, on port 80, "name". */
static bool names(const char *host, const char *name, uint16_t port) {
    size_t length = strlen(name);
    char rest[16];
    snprintf(rest, sizeof rest, ":%u", (unsigned)port);
    return strncasecmp(host, name, length) == 0 &&
           (strcmp(host + length, rest) == 0 || (port == 80 && host[length] == '\0'));
}

static bool is_own_host(const gate_t *gate, const char *host) {
    if (!host)
        return false;
    if (names(host, gate->address, gate->port) || names(host, "127.0.0.1", gate->port) ||
        names(host, "localhost", gate->port))
        return true;
    for (size_t i = 0; i < gate->host_count; i++)
        if (names(host, gate->hosts[i], gate->port))
            return true;
    return false;
}

static bool is_own_origin(const gate_request_t *request) {
    return text_starts_with(request->origin, "http://") &&
           strcasecmp(request->origin + strlen("http://"), request->host) == 0;
}

/* Takes as long whatever the difference. */
static bool same_secret(const char *secret, const char *said, size_t length) {
    size_t own = strlen(secret);
    unsigned char difference = own != length;
    for (size_t i = 0; i < length; i++)
        difference |= (unsigned char)(said[i] ^ secret[own ? i % own : 0]);
    return difference == 0;
}

static bool cookie_holds(const char *cookies, const char *token) {
    static const char name[] = GATE_COOKIE "=";
    while (cookies) {
        cookies += strspn(cookies, " ;");
        size_t length = strcspn(cookies, ";");
        if (text_starts_with(cookies, name) &&
            same_secret(token, cookies + sizeof name - 1, length - (sizeof name - 1)))
            return true;
        cookies = cookies[length] ? cookies + length + 1 : NULL;
    }
    return false;
}

static bool has_token(const gate_t *gate, const gate_request_t *request) {
    static const char bearer[] = "Bearer ";
    const char *header = request->authorization;
    return cookie_holds(request->cookie, gate->token) ||
           (header && text_starts_with(header, bearer) &&
            same_secret(gate->token, header + sizeof bearer - 1,
                        strlen(header + sizeof bearer - 1)));
}

gate_verdict_t gate_judge(const gate_t *gate, const gate_request_t *request) {
    bool post = strcmp(request->method, "POST") == 0;
    if (!is_own_host(gate, request->host))
        return (gate_verdict_t){
            421, "This server has another name; allow it with glia viewer --host NAME.", false};
    if (request->origin ? !is_own_origin(request) : post)
        return (gate_verdict_t){403, "Requests come from this server's own pages only.", false};
    if (post ? !text_starts_with(request->path, GATE_ANSWERS)
             : strcmp(request->method, "GET") != 0 && strcmp(request->method, "HEAD") != 0)
        return (gate_verdict_t){405, "Pages are for reading: GET and HEAD.", false};
    if (post &&
        (!request->content_type || !text_starts_with(request->content_type, "application/json")))
        return (gate_verdict_t){415, "An answer is application/json.", false};
    if (!gate->token || has_token(gate, request))
        return (gate_verdict_t){0};
    if (request->query_token &&
        same_secret(gate->token, request->query_token, strlen(request->query_token)))
        return (gate_verdict_t){.by_query = true};
    return (gate_verdict_t){401, "This server asks for its token: add ?token=... to the address.",
                            false};
}
