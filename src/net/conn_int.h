/* SPDX-License-Identifier: MIT */
/* The inside of a connection, for the files of net/ alone. */
#ifndef LN_CONN_INT_H
#define LN_CONN_INT_H

#include <uv.h>

#include "net/conn.h"
#include "net/loop_int.h"

enum { LN_CONN_MAGIC = 0x434f4e4e };

struct ln_tls_client;
struct ln_tls_server;
struct ln_tls_stream;

enum ln_io {
    LN_IO_OK = 0, /* some bytes went through (for a handshake: it is done) */
    LN_IO_AGAIN,  /* not now: wait for the socket */
    LN_IO_END,    /* the peer ended its direction, orderly */
    LN_IO_FAIL,   /* conn->why and conn->sys say what */
};

/* What carries a connection's bytes; the two instances are net/plain.c and net/tls_stream.c. */
struct ln_transport {
    enum ln_io (*handshake)(struct ln_conn *conn); /* NULL: none needed */
    enum ln_io (*recv)(struct ln_conn *conn, char *buffer, size_t size, size_t *got);
    /* *taken bytes from the front; fewer than all means the kernel takes no more now. */
    enum ln_io (*send)(struct ln_conn *conn, const struct lb_str *slices, size_t count,
                       size_t *taken);
    /* Sends what the transport itself holds back; OK when nothing is left. */
    enum ln_io (*flush)(struct ln_conn *conn);
    size_t (*held)(const struct ln_conn *conn);   /* bytes flush would send */
    bool (*readable)(const struct ln_conn *conn); /* can recv go on without the socket? */
    void (*finish)(struct ln_conn *conn);         /* says goodbye (close_notify) */
    /* Why it failed where no errno says it, in words; "": nothing is known. Borrowed. */
    const char *(*reason)(const struct ln_conn *conn);
    void (*free)(struct ln_conn *conn);
};

extern const struct ln_transport ln_plain;
extern const struct ln_transport ln_tls;

/* A piece of the write queue. Wiped before it is freed: heads carry keys. */
struct ln_chunk {
    struct ln_chunk *next;
    uint32_t capacity, from, to; /* bytes [from, to) of data wait */
    char data[];
};

struct ln_queue {
    struct ln_chunk *first, *last;
    size_t size;     /* bytes waiting */
    size_t cap, low; /* see ln_conn_set_marks */
};

/* What a connection does before it carries an owner's bytes. */
enum ln_step { LN_STEP_OPEN = 0, LN_STEP_CONNECT, LN_STEP_HANDSHAKE };

/* The step ended: OK, or what ln_conn_explain explains. conn->context is handed along. */
typedef void (*ln_step_fn)(struct ln_conn *conn, void *context, llmgr_status status);

struct ln_conn {
    unsigned magic;
    int fd;
    struct ln_loop *loop;
    const struct ln_transport *transport;
    struct ln_tls_stream *tls; /* NULL: plain */
    const struct ln_conn_face *face;
    void *context;
    ln_step_fn step_done;
    struct lb_list node; /* a member of the loop */
    struct ln_queue queue;
    struct ln_timer timer; /* limit of the handshake, then of lingering */
    struct ln_defer more;  /* reads on without a new socket event */
    uv_poll_t poll;
    int sys;               /* errno of a failure, 0 if none */
    llmgr_status why;      /* what ended the stream */
    uint64_t sent;         /* bytes given to the kernel */
    uint8_t step;          /* enum ln_step */
    uint8_t interest;      /* UV_READABLE | UV_WRITABLE as the loop watches now */
    bool accepted : 1;     /* counts in loop->accepted */
    bool reading : 1;      /* the owner wants data */
    bool in_ended : 1;     /* nothing will come any more */
    bool failed : 1;       /* nothing can be written any more */
    bool blocked : 1;      /* the kernel took less than offered; ask before trying again */
    bool want_drained : 1; /* the owner waits for `drained` */
    bool shutting : 1;     /* end our direction when the queue is empty */
    bool shut : 1;         /* our direction is ended */
    bool lingering : 1;
    bool closing : 1;    /* ln_conn_close was called */
    bool drained_in : 1; /* the kernel has no more bytes until the next event */
};

/* Takes over a connected (or connecting) non-blocking socket; on failure fd stays the caller's. */
LLMGR_MUST_CHECK llmgr_status ln_conn_adopt(struct ln_loop *loop, int fd, struct ln_conn **conn,
                                            struct llmgr_error *err);
/* Waits for connect(2) to end. */
void ln_conn_await_connect(struct ln_conn *conn, ln_step_fn done);
/* Runs the transport's handshake (ln_tls_attach_* came before). */
void ln_conn_handshake(struct ln_conn *conn, ln_step_fn done);
/* failure.c: notes a failure once; returns LN_IO_FAIL. */
enum ln_io ln_conn_fail(struct ln_conn *conn, llmgr_status why, int sys);
/* As above, the status found from errno. */
enum ln_io ln_conn_fail_errno(struct ln_conn *conn, int sys);

/* The queue. append: false if memory is short (what was appended before stays). */
bool ln_queue_append(struct ln_queue *queue, const struct lb_host *host,
                     const struct lb_str *slices, size_t count, size_t skip);
/* The waiting bytes from the front as slices; returns how many slices. */
size_t ln_queue_slices(const struct ln_queue *queue, struct lb_str *slices, size_t max);
void ln_queue_drop(struct ln_queue *queue, const struct lb_host *host, size_t size);
void ln_queue_clear(struct ln_queue *queue, const struct lb_host *host);

/* send(2) or sendmsg(2) without SIGPIPE; the one place where bytes leave. */
enum ln_io ln_plain_send(struct ln_conn *conn, const struct lb_str *slices, size_t count,
                         size_t *taken);

#endif
