/* SPDX-License-Identifier: MIT */
/*
 * Sessions remembered for resumption: a bounded table with the least recently used entry going
 * first. One per TLS client, so a session made under one set of trusted authorities never vouches
 * for a connection under another.
 */
#include "net/tls_int.h"

struct entry {
    struct lb_list node;
    SSL_SESSION *session;
    char key[]; /* NUL-terminated */
};

bool ln_sessions_init(struct ln_sessions *sessions, const struct lb_host *host, unsigned max)
{
    *sessions = (struct ln_sessions){.host = host, .max = max};
    lb_list_init(&sessions->order);
    sessions->map = lb_map_new(host, max);
    return sessions->map != NULL;
}

static void drop(struct ln_sessions *sessions, struct entry *entry)
{
    (void)lb_map_remove(sessions->map, lb_cstr(entry->key));
    lb_list_remove(&entry->node);
    SSL_SESSION_free(entry->session);
    lb_free(sessions->host, entry);
}

void ln_sessions_free(struct ln_sessions *sessions)
{
    if (sessions->map == NULL)
        return;
    while (!lb_list_empty(&sessions->order))
        drop(sessions, LB_CONTAINER(sessions->order.next, struct entry, node));
    lb_map_free(sessions->map);
    sessions->map = NULL;
}

bool ln_sessions_put(struct ln_sessions *sessions, const char *key, SSL_SESSION *session)
{
    struct entry *entry = lb_map_get(sessions->map, lb_cstr(key));
    if (entry != NULL) {
        SSL_SESSION_free(entry->session);
        entry->session = session;
        lb_list_remove(&entry->node);
        lb_list_add_head(&sessions->order, &entry->node);
        return true;
    }
    if (lb_map_count(sessions->map) >= sessions->max)
        drop(sessions, LB_CONTAINER(sessions->order.prev, struct entry, node));
    size_t size = strlen(key) + 1;
    entry = lb_alloc(sessions->host, sizeof(*entry) + size);
    if (entry == NULL)
        return false;
    memcpy(entry->key, key, size);
    if (lb_map_put(sessions->map, lb_cstr(key), entry, NULL) != LLMGR_OK) {
        lb_free(sessions->host, entry);
        return false;
    }
    entry->session = session;
    lb_list_add_head(&sessions->order, &entry->node);
    return true;
}

SSL_SESSION *ln_sessions_get(struct ln_sessions *sessions, const char *key)
{
    struct entry *entry = lb_map_get(sessions->map, lb_cstr(key));
    if (entry == NULL)
        return NULL;
    lb_list_remove(&entry->node);
    lb_list_add_head(&sessions->order, &entry->node);
    return entry->session;
}

void ln_sessions_remove(struct ln_sessions *sessions, const char *key)
{
    struct entry *entry = lb_map_get(sessions->map, lb_cstr(key));
    if (entry != NULL)
        drop(sessions, entry);
}
