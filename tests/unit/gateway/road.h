/* SPDX-License-Identifier: MIT */
/*
 * One worker of a gateway with all that is real about it (manager, database, ledger, loop,
 * sockets), but for the exchanges with platforms: those are the test's to play.
 *
 *   struct road road;
 *   road_setup(&road);                            a gateway on a unix socket; nobody called yet
 *   struct caller c = road_call(&road);           a connection
 *   road_say(&c, "POST /v1/…\r\n…");              what it sends
 *   struct exchange *x = road_exchange(&road, 1); the first exchange that was started
 *   x_head(x, "HTTP/1.1 200 OK\r\n…\r\n\r\n");    what the platform answers …
 *   x_read(x, "…", false);                        one read of its body; true: the last
 *   road_hear(&c, "…");                           turns the loop until that has come
 *   road_teardown(&road);
 *
 * The exchange behaves as upstream/exchange.h promises: `end` comes exactly once, from the loop and
 * never from within a call of its owner's, unless it was forgotten.
 */
#ifndef TESTS_GATEWAY_ROAD_H
#define TESTS_GATEWAY_ROAD_H

#include "../db.h"
#include "gateway/attempt.h"
#include "gateway/client.h"
#include "gateway/request.h"
#include "gateway/settings.h"
#include "gateway/shared.h"
#include "gateway/worker.h"
#include "ledger/ledger.h"
#include "upstream/exchange.h"

enum { ROAD_EXCHANGES = 8, ROAD_HEARD = 1 << 18 };

struct exchange {
    const struct lu_face *face;
    void *context;
    struct lu_stats stats;
    char method[16];
    char path[256];
    char url[128];
    char key[64];      /* as it was opened for the head */
    char fields[2048]; /* "name: value\n" … */
    char body[8192];
    enum lu_body_kind body_kind;
    bool is_running;
    bool forgotten; /* the owner let go of it */
    bool paused;
    bool finished;   /* its fed body is complete */
    bool holds_body; /* the last byte of the request has not been sent */
    struct llmgr_error why;
    struct ln_defer ending;
    struct ln_loop *loop;
};

struct road {
    struct db db;
    struct llmgr *manager;
    struct lg_shared shared;
    struct lg_drain drain;
    struct lg_settings settings;
    struct lg_worker *worker;
    struct llmgr_error err;
    char place[320];          /* the unix socket */
    struct ln_timer watchdog; /* what does not come is no reason to wait for ever */
    struct exchange exchanges[ROAD_EXCHANGES];
    unsigned count;             /* of them */
    llmgr_status start_fails;   /* OK: the next exchange starts */
    unsigned asked, given_back; /* of the journal: rooms */
    unsigned recorded;          /* and records */
    void (*on_record)(void *context);
    void *on_record_context;
};

struct caller {
    struct road *road;
    int fd;
    size_t size;
    char heard[ROAD_HEARD];
    bool ended; /* the gateway closed */
};

void road_setup(struct road *road);
/* With other settings than the usual; NULL: those. */
void road_setup_with(struct road *road, void (*change)(struct lg_settings *settings));
/* Also proves that all memory came back and that each room in the journal was used up. */
void road_teardown(struct road *road);
void road_turn(struct road *road); /* all that is ready now */

struct caller *road_call(struct road *road);
void road_hang_up(struct caller *caller);
void road_say(struct caller *caller, const char *text);
/* The bytes that have come so far. */
struct lb_str road_heard(struct caller *caller);
/* Turns until `text` has come; road_silence: takes what was heard as read. */
void road_hear(struct caller *caller, const char *text);
void road_forget_heard(struct caller *caller);
bool road_has(struct caller *caller, const char *text);

/*
 * A first request, refused by its platform: what is read of the database is read then, and the next
 * ones go all the way to SEND in one turn. Exchange 1 is its own.
 */
void road_warm(struct road *road);

/* Turns until the n-th exchange was started. */
struct exchange *road_exchange(struct road *road, unsigned n);
/* The request that is under way on the n-th connection that is open, from 1. */
struct lg_request *road_request(struct road *road, unsigned n);

void x_head(struct exchange *x, const char *head);
void x_read(struct exchange *x, const char *body, bool last);
void x_end(struct exchange *x, llmgr_status status, const char *text);

/* The n-th allocation of this thread from now on fails, once; 0: none does. True: one has failed.
 */
bool road_fail_nth(unsigned n);

/* A count of rows of the ledger, all of them written. */
int64_t road_rows(struct road *road, const char *where);
uint64_t road_metric(const struct road *road, enum lg_metric metric);

/* Requests and answers that most tests use. */
#define ROAD_POST(path, size, more)                                                                \
    "POST " path " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" more         \
    "Content-Length: " size "\r\n\r\n"
#define ROAD_CHAT_BODY "{\"model\":\"Small\",\"messages\":[]}"
#define ROAD_CHAT ROAD_POST("/v1/chat/completions", "31", "") ROAD_CHAT_BODY
#define ROAD_STREAM_BODY "{\"model\":\"Small\",\"stream\":true}"
#define ROAD_STREAM ROAD_POST("/v1/chat/completions", "31", "") ROAD_STREAM_BODY
#define ROAD_200 "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "
#define ROAD_EVENTS                                                                                \
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
#define ROAD_HELLO "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hello\"}}]}\n\n"
#define ROAD_STOP                                                                                  \
    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"              \
    "data: [DONE]\n\n"

#endif
