/* SPDX-License-Identifier: MIT */
/*
 * bench_load: asks one HTTP server from one thread and prints one line of JSON.
 *
 *   closed loop (no --rate)   each connection asks again when its answer is complete
 *   open loop (--rate R)      requests come when they come (a Poisson process); one that finds no
 *                             free connection waits, and its waiting counts: latency is measured
 *                             from the moment at which it should have been sent
 *
 * With --ramp the connections begin one after the other over so many seconds, so that streams do
 * not march in step. Counts begin after --warm seconds and end --seconds later; with --pids, what
 * those processes used of CPU and memory in just that time is told as well. Each request carries a
 * token drawn at random from the file of --tokens (one per line). All latencies are in
 * microseconds.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <linux/tcp.h> /* not netinet's, whose tcp_info knows no data_segs_in */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "answer.h"
#include "cost.h"
#include "histogram.h"

enum {
    EVENTS = 256,
    PIDS_MAX = 64,
    PENDING_MAX = 1 << 20, /* open loop: requests that wait for a connection */
    READ_SIZE = 1 << 16,
    NS_PER_S = 1000000000,
};

struct options {
    uint16_t port;
    unsigned connections;
    double rate;
    double warm_s, seconds, ramp_s;
    const char *path;
    char *body;
    size_t body_size;
    char **tokens;
    size_t token_count;
    char fields[2048]; /* further lines of the head */
    int pids[PIDS_MAX];
    size_t pid_count;
};

struct caller {
    int fd;
    bool busy;
    bool first;      /* no event of this answer has come yet */
    int64_t due_ns;  /* when the request under way should have been sent */
    int64_t last_ns; /* when its last event came */
    struct answer answer;
    struct caller *next; /* free callers */
};

struct run {
    struct options options;
    int epoll;
    struct caller *callers;
    struct caller *free;
    unsigned started; /* callers that have asked or may ask */
    uint64_t random;
    int64_t begin_ns, end_ns; /* of the counting */
    int64_t next_ns;          /* open loop: the next arrival */
    int64_t *pending;         /* a ring of arrivals that wait */
    uint64_t pending_from, pending_to;
    bool counting;

    uint64_t requests, events, errors, bad_status, dropped;
    uint64_t cpu_ns, memory;
    uint64_t pieces, gone_pieces; /* see count_pieces; those of connections that are closed */
    struct histogram whole, first, gap;
};

static struct run run;

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

static uint64_t draw(void)
{
    run.random ^= run.random << 13;
    run.random ^= run.random >> 7;
    run.random ^= run.random << 17;
    return run.random;
}

static void die(const char *what)
{
    fprintf(stderr, "bench_load: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* ---- Connections ----------------------------------------------------------------------------- */

static void open_caller(struct caller *caller)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(run.options.port)};
    int one = 1;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    caller->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (caller->fd < 0 || connect(caller->fd, (struct sockaddr *)&address, sizeof address) != 0)
        die("connect");
    setsockopt(caller->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = caller};
    if (epoll_ctl(run.epoll, EPOLL_CTL_ADD, caller->fd, &event) != 0)
        die("epoll_ctl");
}

/*
 * Segments with data that came on a connection: on loopback, and as long as none is as large as a
 * segment, the writes that the other side made. However late we read, a server that held two
 * frames back and wrote them at once shows here.
 */
static uint64_t pieces_of(int fd)
{
    struct tcp_info info = {0};
    socklen_t size = sizeof info;

    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0 ||
        size < offsetof(struct tcp_info, tcpi_data_segs_in) + sizeof info.tcpi_data_segs_in)
        return 0;
    return info.tcpi_data_segs_in;
}

static uint64_t count_pieces(void)
{
    uint64_t sum = run.gone_pieces;

    for (unsigned i = 0; i < run.options.connections; i++)
        sum += pieces_of(run.callers[i].fd);
    return sum;
}

static void set_free(struct caller *caller)
{
    caller->busy = false;
    caller->next = run.free;
    run.free = caller;
}

/* A body larger than the socket's buffer blocks: the callers share one thread by choice. */
static bool write_all(int fd, struct iovec *parts, int count)
{
    while (count > 0) {
        ssize_t size = writev(fd, parts, count);
        if (size < 0)
            return false;
        while (count > 0 && (size_t)size >= parts->iov_len) {
            size -= (ssize_t)parts->iov_len;
            parts++;
            count--;
        }
        if (count > 0) {
            parts->iov_base = (char *)parts->iov_base + size;
            parts->iov_len -= (size_t)size;
        }
    }
    return true;
}

static void ask(struct caller *caller, int64_t due_ns)
{
    const struct options *options = &run.options;
    const char *token = options->tokens[draw() % options->token_count];
    char head[4096];
    int size = snprintf(head, sizeof head,
                        "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nAuthorization: Bearer %s\r\n"
                        "Content-Type: application/json\r\n%sContent-Length: %zu\r\n\r\n",
                        options->path, options->port, token, options->fields, options->body_size);
    struct iovec parts[2] = {{head, (size_t)size}, {options->body, options->body_size}};

    caller->busy = true;
    caller->first = true;
    caller->due_ns = due_ns;
    caller->answer.state = ANSWER_HEAD;
    caller->answer.head_size = 0;
    caller->answer.left = caller->answer.events = 0;
    caller->answer.after_newline = false;
    if (!write_all(caller->fd, parts, 2))
        run.errors++; /* the read side tells the rest */
}

/* ---- Answers --------------------------------------------------------------------------------- */

static void ask_next(struct caller *caller, int64_t now)
{
    if (run.options.rate == 0)
        ask(caller, now);
    else if (run.pending_from < run.pending_to)
        ask(caller, run.pending[run.pending_from++ % PENDING_MAX]);
    else
        set_free(caller);
}

static void lost(struct caller *caller, int64_t now)
{
    if (caller->busy)
        run.errors++;
    run.gone_pieces += pieces_of(caller->fd);
    close(caller->fd);
    open_caller(caller);
    if (caller->busy)
        ask_next(caller, now);
}

static void completed(struct caller *caller, int64_t now)
{
    bool good = caller->answer.status >= 200 && caller->answer.status < 300;

    if (!good) {
        if (run.bad_status++ == 0)
            fprintf(stderr, "bench_load: status %d\n", caller->answer.status);
    } else if (run.counting) {
        run.requests++;
        histogram_add(&run.whole, (uint64_t)(now - caller->due_ns));
    }
    ask_next(caller, now);
}

static void on_readable(struct caller *caller)
{
    static char bytes[READ_SIZE];
    ssize_t count = recv(caller->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    int64_t now = now_ns();
    uint64_t before = caller->answer.events;

    if (count < 0 && errno == EAGAIN)
        return;
    if (count <= 0 || !caller->busy) {
        lost(caller, now);
        return;
    }
    size_t taken = answer_take(&caller->answer, bytes, (size_t)count);
    uint64_t events = caller->answer.events - before;
    if (events > 0) {
        if (run.counting && caller->first)
            histogram_add(&run.first, (uint64_t)(now - caller->due_ns));
        else if (run.counting)
            histogram_add(&run.gap, (uint64_t)(now - caller->last_ns));
        caller->first = false;
        caller->last_ns = now;
        run.events += run.counting ? events : 0;
    }
    if (caller->answer.state == ANSWER_BROKEN || taken < (size_t)count)
        lost(caller, now);
    else if (caller->answer.state == ANSWER_DONE)
        completed(caller, now);
}

/* ---- Time ------------------------------------------------------------------------------------ */

static double draw_exponential(void)
{
    /* -ln(u) without libm: halvings counted in the bits, the rest by a short series. */
    double u = ((double)(draw() >> 11) + 1.0) / 9007199254740993.0, sum = 0;

    while (u < 0.5) {
        u *= 2;
        sum += 0.6931471805599453;
    }
    double y = (1 - u) / (1 + u), y2 = y * y;
    return sum + 2 * y * (1 + y2 * (1.0 / 3 + y2 * (1.0 / 5 + y2 * (1.0 / 7 + y2 / 9))));
}

static void arrive(int64_t now)
{
    while (run.next_ns <= now) {
        struct caller *caller = run.free;
        if (caller != NULL) {
            run.free = caller->next;
            ask(caller, run.next_ns);
        } else if (run.pending_to - run.pending_from < PENDING_MAX) {
            run.pending[run.pending_to++ % PENDING_MAX] = run.next_ns;
        } else {
            run.dropped++;
        }
        run.next_ns += (int64_t)(draw_exponential() * NS_PER_S / run.options.rate);
    }
}

static void begin_or_end(int64_t now)
{
    const struct options *options = &run.options;

    if (!run.counting && now >= run.begin_ns && now < run.end_ns) {
        run.counting = true;
        run.pieces = count_pieces();
        run.cpu_ns = cost_cpu_ns(options->pids, options->pid_count);
        run.begin_ns = now_ns();
        run.end_ns = run.begin_ns + (int64_t)(options->seconds * NS_PER_S);
    } else if (run.counting && now >= run.end_ns) {
        run.counting = false;
        run.cpu_ns = cost_cpu_ns(options->pids, options->pid_count) - run.cpu_ns;
        run.memory = cost_memory(options->pids, options->pid_count);
        run.pieces = count_pieces() - run.pieces;
        run.end_ns = now;
    }
}

/* The callers begin one after the other over the ramp; returns when the next one does. */
static int64_t start_callers(int64_t begin, int64_t now)
{
    int64_t step = (int64_t)(run.options.ramp_s * NS_PER_S / run.options.connections);

    for (; run.started < run.options.connections; run.started++) {
        int64_t due = begin + step * run.started;
        if (due > now)
            return due;
        ask_next(&run.callers[run.started], now);
    }
    return INT64_MAX;
}

static void loop(void)
{
    struct epoll_event events[EVENTS];
    int64_t now = now_ns();
    bool over = false;

    run.begin_ns = now + (int64_t)(run.options.warm_s * NS_PER_S);
    run.end_ns = INT64_MAX;
    run.next_ns = now;
    int64_t begin = now;
    while (!over) {
        int64_t until = run.counting ? run.end_ns : run.begin_ns;
        int64_t next = start_callers(begin, now);
        until = next < until ? next : until;
        if (run.options.rate > 0) {
            arrive(now_ns());
            until = run.next_ns < until ? run.next_ns : until;
        }
        int64_t wait = until - now_ns();
        wait = wait > 0 ? wait : 0;
        struct timespec timeout = {wait / NS_PER_S, wait % NS_PER_S};
        int count = epoll_pwait2(run.epoll, events, EVENTS, &timeout, NULL);
        for (int i = 0; i < count; i++)
            on_readable(events[i].data.ptr);
        bool before = run.counting;
        now = now_ns();
        begin_or_end(now);
        over = before && !run.counting;
    }
}

/* ---- The program ----------------------------------------------------------------------------- */

static char *read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    char *text = NULL;
    long length = -1;

    if (file != NULL && fseek(file, 0, SEEK_END) == 0)
        length = ftell(file);
    if (length < 0 || (text = malloc((size_t)length + 1)) == NULL)
        die(path);
    rewind(file);
    *size = fread(text, 1, (size_t)length, file);
    text[*size] = '\0';
    fclose(file);
    return text;
}

static void read_tokens(struct options *options, const char *path)
{
    size_t size = 0, room = 0;
    char *rest = read_file(path, &size);

    for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
        if (*line == '\0')
            continue;
        if (options->token_count == room) {
            room = room > 0 ? 2 * room : 64;
            options->tokens = realloc(options->tokens, room * sizeof *options->tokens);
            if (options->tokens == NULL)
                die(path);
        }
        options->tokens[options->token_count++] = line;
    }
}

static void read_pids(struct options *options, char *text)
{
    for (char *word; (word = strsep(&text, ",")) != NULL;) {
        if (*word != '\0' && options->pid_count < PIDS_MAX)
            options->pids[options->pid_count++] = atoi(word);
    }
}

static void add_field(struct options *options, const char *line)
{
    size_t size = strlen(options->fields), room = sizeof options->fields - size;

    if ((size_t)snprintf(options->fields + size, room, "%s\r\n", line) >= room)
        die("--field");
}

static void read_options(struct options *options, int argc, char **argv)
{
    static const struct option LONG[] = {
        {"port", 1, NULL, 'p'},  {"connections", 1, NULL, 'c'}, {"rate", 1, NULL, 'r'},
        {"warm", 1, NULL, 'w'},  {"seconds", 1, NULL, 's'},     {"path", 1, NULL, 'u'},
        {"body", 1, NULL, 'b'},  {"tokens", 1, NULL, 't'},      {"pids", 1, NULL, 'i'},
        {"field", 1, NULL, 'f'}, {"ramp", 1, NULL, 'm'},        {NULL, 0, NULL, 0},
    };
    int option;

    *options = (struct options){.connections = 8, .warm_s = 0.5, .seconds = 3};
    options->path = "/v1/chat/completions";
    while ((option = getopt_long(argc, argv, "", LONG, NULL)) != -1) {
        switch (option) {
        case 'p':
            options->port = (uint16_t)atoi(optarg);
            break;
        case 'c':
            options->connections = (unsigned)atoi(optarg);
            break;
        case 'r':
            options->rate = atof(optarg);
            break;
        case 'w':
            options->warm_s = atof(optarg);
            break;
        case 's':
            options->seconds = atof(optarg);
            break;
        case 'u':
            options->path = optarg;
            break;
        case 'b':
            options->body = read_file(optarg, &options->body_size);
            break;
        case 't':
            read_tokens(options, optarg);
            break;
        case 'm':
            options->ramp_s = atof(optarg);
            break;
        case 'f':
            add_field(options, optarg);
            break;
        case 'i':
            read_pids(options, optarg);
            break;
        default:
            exit(2);
        }
    }
    if (options->port == 0 || options->body == NULL || options->token_count == 0) {
        fputs("bench_load: --port, --body and --tokens are needed\n", stderr);
        exit(2);
    }
}

static void print_percentiles(const char *name, const struct histogram *h)
{
    printf(
        ", \"%s\": {\"count\": %llu, \"p50\": %.1f, \"p99\": %.1f, \"p999\": %.1f, \"max\": %.1f}",
        name, (unsigned long long)h->count, histogram_us(h, .5), histogram_us(h, .99),
        histogram_us(h, .999), (double)h->max_ns / 1000.0);
}

int main(int argc, char **argv)
{
    read_options(&run.options, argc, argv);
    run.random = 0x9e3779b97f4a7c15 ^ (uint64_t)now_ns();
    run.epoll = epoll_create1(EPOLL_CLOEXEC);
    run.callers = calloc(run.options.connections, sizeof *run.callers);
    run.pending = malloc(PENDING_MAX * sizeof *run.pending);
    if (run.callers == NULL || run.pending == NULL || run.epoll < 0)
        die("start");
    for (unsigned i = 0; i < run.options.connections; i++)
        open_caller(&run.callers[i]);
    loop();
    printf("{\"requests\": %llu, \"events\": %llu, \"errors\": %llu, \"bad_status\": %llu, "
           "\"dropped\": %llu, \"waiting\": %llu, \"seconds\": %.6f, \"cpu_ns\": %llu, "
           "\"memory\": %llu, \"pieces\": %llu",
           (unsigned long long)run.requests, (unsigned long long)run.events,
           (unsigned long long)run.errors, (unsigned long long)run.bad_status,
           (unsigned long long)run.dropped, (unsigned long long)(run.pending_to - run.pending_from),
           (double)(run.end_ns - run.begin_ns) / NS_PER_S, (unsigned long long)run.cpu_ns,
           (unsigned long long)run.memory, (unsigned long long)run.pieces);
    print_percentiles("whole", &run.whole);
    print_percentiles("first", &run.first);
    print_percentiles("gap", &run.gap);
    puts("}");
    return 0;
}
