/* SPDX-License-Identifier: MIT */
/*
 * Sessions remembered for resumption: a bounded table, of which the origin that was used least
 * recently gives its oldest session up first. One per TLS client, so a session made under one set
 * of trusted authorities never vouches for a connection under another.
 *
 * A session of TLS 1.2 serves again and again, so one is kept. A ticket of TLS 1.3 is for one
 * connection (RFC 8446, C.4), and many servers send several after a full handshake but none with
 * a resumed one: those are kept, and each is given away once.
 */
#include "net/tls_int.h"

enum { TICKETS_MAX = 4 }; /* per origin; servers send one to four at a time */

struct entry {
    struct lb_list node;
    SSL_SESSION *kept[TICKETS_MAX]; /* oldest first */
    unsigned count;                 /* never 0 between two calls */
    char key[];                     /* NUL-terminated */
};

bool ln_sessions_init(struct ln_sessions *sessions, const struct lb_host *host, unsigned max)
{
    *sessions = (struct ln_sessions){.host = host, .max = max};
    lb_list_init(&sessions->order);
    sessions->map = lb_map_new(host, (size_t)max + 1); /* the newest comes before the oldest goes */
    return sessions->map != NULL;
}

static bool used_once(const SSL_SESSION *session)
{
    return SSL_SESSION_get_protocol_version(session) >= TLS1_3_VERSION;
}

static void drop_oldest(struct ln_sessions *sessions, struct entry *entry)
{
    SSL_SESSION_free(entry->kept[0]);
    entry->count--;
    sessions->count--;
    memmove(entry->kept, entry->kept + 1, entry->count * sizeof(SSL_SESSION *));
}

static void drop(struct ln_sessions *sessions, struct entry *entry)
{
    while (entry->count > 0)
        drop_oldest(sessions, entry);
    (void)lb_map_remove(sessions->map, lb_cstr(entry->key));
    lb_list_remove(&entry->node);
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

static struct entry *add_entry(struct ln_sessions *sessions, const char *key)
{
    size_t size = strlen(key) + 1;
    struct entry *entry = lb_calloc(sessions->host, 1, sizeof(*entry) + size);
    if (entry == NULL)
        return NULL;
    memcpy(entry->key, key, size);
    if (lb_map_put(sessions->map, lb_cstr(key), entry, NULL) != LLMGR_OK) {
        lb_free(sessions->host, entry);
        return NULL;
    }
    lb_list_add_head(&sessions->order, &entry->node);
    return entry;
}

static struct entry *find(struct ln_sessions *sessions, const char *key)
{
    struct entry *entry = lb_map_get(sessions->map, lb_cstr(key));
    if (entry != NULL) {
        lb_list_remove(&entry->node);
        lb_list_add_head(&sessions->order, &entry->node);
    }
    return entry;
}

bool ln_sessions_put(struct ln_sessions *sessions, const char *key, SSL_SESSION *session)
{
    struct entry *entry = find(sessions, key);
    if (entry == NULL)
        entry = add_entry(sessions, key);
    if (entry == NULL)
        return false;
    bool beside = used_once(session) && entry->count > 0 && used_once(entry->kept[0]);
    while (entry->count > (beside ? TICKETS_MAX - 1 : 0))
        drop_oldest(sessions, entry);
    entry->kept[entry->count++] = session;
    sessions->count++;
    while (sessions->count > sessions->max) {
        struct entry *last = LB_CONTAINER(sessions->order.prev, struct entry, node);
        drop_oldest(sessions, last);
        if (last->count == 0)
            drop(sessions, last);
    }
    return true;
}

SSL_SESSION *ln_sessions_take(struct ln_sessions *sessions, const char *key)
{
    struct entry *entry = find(sessions, key);
    if (entry == NULL)
        return NULL;
    SSL_SESSION *session = entry->kept[entry->count - 1]; /* the newest: it lives longest */
    if (!used_once(session))
        return SSL_SESSION_up_ref(session) == 1 ? session : NULL;
    entry->count--;
    sessions->count--;
    if (entry->count == 0)
        drop(sessions, entry);
    return session;
}

void ln_sessions_remove(struct ln_sessions *sessions, const char *key)
{
    struct entry *entry = lb_map_get(sessions->map, lb_cstr(key));
    if (entry != NULL)
        drop(sessions, entry);
}
