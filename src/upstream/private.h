/* SPDX-License-Identifier: MIT */
/* What the files of upstream/ share: sites and links of the pool, the exchange's inside. */
#ifndef LU_PRIVATE_H
#define LU_PRIVATE_H

#include "base/buf.h"
#include "base/error.h"
#include "base/list.h"
#include "http/body.h"
#include "http/coding.h"
#include "http/url.h"
#include "net/loop.h"
#include "upstream/exchange.h"

struct ln_conn;
struct ln_dial;

/* ---- Pool ------------------------------------------------------------------------------------ */

/* Where connections go: an origin for an egress class. Lives while used or while one waits. */
struct lu_site {
    struct lu_pool *pool;
    struct lb_list idle; /* lu_link.in_site, the one used last in front */
    unsigned idle_count;
    unsigned users; /* exchanges that hold it */
    enum ln_class klass;
    bool https;
    uint16_t port;
    char host[LH_HOST_MAX + 1];  /* for the dialer */
    char origin[LH_ORIGIN_SIZE]; /* for texts; its bytes after the class are the pool's key */
};

/* A connection of ours. Either it waits in the pool or an exchange has it. */
struct lu_link {
    unsigned magic;
    struct lu_site *site;
    struct ln_conn *conn;
    struct lu_exchange *exchange; /* NULL while it waits */
    struct lb_list in_site;
    struct lb_list in_pool; /* all that wait, longest first */
    int64_t since;          /* loop time, ms */
};

/* A hold on the site for a URL, or another one; give it back with lu_site_release. */
void lu_site_hold_again(struct lu_site *site);
LLMGR_MUST_CHECK llmgr_status lu_site_hold(struct lu_pool *pool, const struct lh_url *url,
                                           enum ln_class klass, struct lu_site **site,
                                           struct llmgr_error *err);
void lu_site_release(struct lu_site *site);

/* ---- Base URLs seen before (base.c) ---------------------------------------------------------- */

enum { LU_BASES = 64 };

struct lu_base {
    struct lu_site *site; /* held */
    enum ln_class klass;
    struct lb_str text; /* as it was given */
    struct lh_url url;  /* slices of text */
    /* Method and path that were asked last, and the request line and Host they make. */
    struct lb_buf lines;
    size_t method_size, path_size;
    char bytes[]; /* of text */
};

/* The base URL's parts and site, judged; borrowed until the next call. */
LLMGR_MUST_CHECK llmgr_status lu_base_find(struct lu_pool *pool, struct lu_base *bases[LU_BASES],
                                           struct lb_str text, enum ln_class klass,
                                           struct lu_base **base, struct llmgr_error *err);
/* Appends request line and Host; head->failed tells. */
void lu_base_write(struct lu_base *base, struct lb_str method, struct lb_str path,
                   struct lb_buf *head);
void lu_bases_clear(struct lu_pool *pool, struct lu_base *bases[LU_BASES]);
struct lu_base **lu_pool_bases(struct lu_pool *pool);

/* A waiting connection, or NULL. */
struct lu_link *lu_link_take(struct lu_site *site);
/* Makes `conn` a link of the site; NULL without memory (the connection is closed then). */
struct lu_link *lu_link_new(struct lu_site *site, struct ln_conn *conn);
/* Puts it back to wait, or closes it if there is no room. */
void lu_link_put(struct lu_link *link);
void lu_link_close(struct lu_link *link);

/* Counts an exchange in (1) or out (-1). */
void lu_pool_count(struct lu_pool *pool, int change);
/* Where an exchange tells its failure if there is no memory for one of its own. */
struct llmgr_error *lu_pool_spare_error(struct lu_pool *pool);
LLMGR_MUST_CHECK llmgr_status lu_pool_dial(struct lu_site *site, int64_t timeout_ms,
                                           void (*done)(void *context, struct ln_conn *conn,
                                                        const struct llmgr_error *err),
                                           void *context, struct ln_dial **dial,
                                           struct llmgr_error *err);
/* May this class go to that URL at all? */
LLMGR_MUST_CHECK llmgr_status lu_pool_judge(const struct lu_pool *pool, const struct lh_url *url,
                                            enum ln_class klass, struct llmgr_error *err);

/* ---- Exchange -------------------------------------------------------------------------------- */

enum { LU_EXCHANGE_MAGIC = 0x6c757865, LU_LINK_MAGIC = 0x6c756c6b };

enum {
    LU_PIECE_SIZE = 16 * 1024, /* bytes of a decoded body that are handed out at once */
    LU_TURN_SIZE = 256 * 1024, /* and in one turn of the loop */
};

/* A body with a content coding, on its way out of it. */
struct lu_decoding {
    struct lh_decoder *decoder;
    bool pending;       /* the owner paused: more may be in `rest` or in the decoder */
    struct lb_buf rest; /* payload that waits for that */
    char piece[LU_PIECE_SIZE];
};

enum lu_state {
    LU_DIALING, /* no connection yet */
    LU_SENDING, /* head and slices are on their way; the answer may come already */
    LU_FEEDING, /* the owner feeds the rest of the body */
    LU_SENT,    /* the request is complete */
    LU_ENDING   /* over; only `end` is still to come */
};

/* A head that came in pieces. */
struct lu_partial_head {
    struct lb_buf bytes;
    struct lh_head head;
    struct lh_field fields[LH_ANSWER_FIELDS];
};

struct lu_exchange {
    unsigned magic;
    enum lu_state state;
    struct lu_pool *pool;
    struct ln_loop *loop;
    const struct lb_host *host;
    const struct lu_face *face;
    void *context;

    struct lu_site *site;
    struct ln_dial *dial; /* while DIALING */
    struct lu_link *link; /* from SENDING on */

    /* The request. */
    struct lb_buf head; /* without key and empty line; kept for the retry */
    const struct lu_auth *auth;
    const struct lu_auth *auth_second; /* NULL: one field */
    lu_open_key_fn open_key;
    lu_open_key_fn open_fixed;
    void *key_context;
    enum lu_body_kind body_kind;
    enum lh_reply_to reply_to;
    uint64_t body_left; /* LENGTH: bytes still to be fed */
    struct lu_timeouts timeouts;
    size_t at;     /* the slice being sent */
    size_t offset; /* bytes of it that are gone */

    /* The answer. */
    struct lu_partial_head *partial; /* while a head is incomplete */
    struct lh_body body;
    struct lb_buf held; /* bytes that came in the read during which the owner paused */
    uint64_t answer_max;
    uint8_t interim; /* 1xx answers skipped */
    bool got_byte;   /* of any answer: no retry any more */
    bool got_head;
    bool keep_alive;
    bool body_done;               /* the body is complete, `end` waits for resume */
    struct lu_decoding *decoding; /* NULL: the body comes as it is */
    bool paused;
    bool wants_drained; /* for the deferred call, as the next */
    bool wants_resume;
    bool took_turn; /* paused by ourselves, until the deferred call */

    struct ln_timer phase; /* first byte, or idle */
    struct ln_timer total;
    struct ln_defer later; /* `end`, `drained`, bytes held */
    struct lu_stats stats;
    struct llmgr_error *why; /* private to lu_why; NULL: all went well so far */

    size_t slice_count;
    char chunk_head[LH_CHUNK_HEAD_MAX];
    struct lb_str slices[]; /* of the body, with chunk framing if need be */
};

/* How a key travels: a row of config/protocols.def. */
struct lu_auth {
    const char *protocol;
    const char *dialect; /* in which it is known to be taken */
    struct lb_str line;  /* name and whatever stands before the key */
};
/* Empty: the first row; NULL if the protocol is unknown. */
const struct lu_auth *lu_auth_find(struct lb_str protocol);
/*
 * The field in which a call in this dialect bears the key as well, for nobody knows which of the
 * two the platform looks at; NULL: none. Empty: the platform's own matter, one field.
 */
const struct lu_auth *lu_auth_second(const struct lu_auth *auth, struct lb_str dialect);

/* exchange.c */
/* Ends it: connection kept or closed, timers stopped, `end` deferred. Harmless when ENDING. */
void lu_end(struct lu_exchange *exchange, bool keep_connection);
/*
 * The error that `end` will tell: OK at first. It is made when something fails, for it is half as
 * large as an exchange, of which thousands may be open.
 */
struct llmgr_error *lu_why(struct lu_exchange *exchange);
/* As lu_end with an error; fills lu_why by lb_fail's rules. */
#define lu_end_with(exchange, status, ...)                                                         \
    do {                                                                                           \
        if ((exchange)->state != LU_ENDING) {                                                      \
            lb_fail(lu_why(exchange), (status), __VA_ARGS__);                                      \
            lu_end((exchange), false);                                                             \
        }                                                                                          \
    } while (0)
/* The same: memory is short. */
#define lu_end_memory(exchange)                                                                    \
    do {                                                                                           \
        if ((exchange)->state != LU_ENDING) {                                                      \
            (void)lb_fail_memory(lu_why(exchange));                                                \
            lu_end((exchange), false);                                                             \
        }                                                                                          \
    } while (0)
/* The connection ended: the retry if it is allowed, else the end. */
void lu_lost(struct lu_exchange *exchange, llmgr_status why);
void lu_call_later(struct lu_exchange *exchange);
void lu_phase_start(struct lu_exchange *exchange);
extern const struct ln_conn_face lu_exchange_conn_face;

/* send.c */
LLMGR_MUST_CHECK llmgr_status lu_prepare_head(struct lu_exchange *exchange,
                                              const struct lu_request *request,
                                              struct lu_base *base, struct llmgr_error *err);
/* With a connection at hand: head with key, then as much of the slices as the socket takes. */
void lu_send_start(struct lu_exchange *exchange);
void lu_send_more(struct lu_exchange *exchange);

/* receive.c */
void lu_feed(struct lu_exchange *exchange, struct lb_str bytes);
/* After resume: what was held, then the socket again. */
void lu_feed_held(struct lu_exchange *exchange);
/* Pauses it for the rest of this turn of the loop: others are heard before it goes on. */
void lu_exchange_give_way(struct lu_exchange *exchange);
void lu_partial_head_free(struct lu_exchange *exchange);
/* The connection has ended: is that the body's proper end? */
bool lu_body_may_end(const struct lu_exchange *exchange);
void lu_decoding_free(struct lu_exchange *exchange);

#endif
