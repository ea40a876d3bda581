/* SPDX-License-Identifier: MIT */
/* The mock on a thread of the test's own process. Its requests are fetched as anyone would. */
#include "mock.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <unistd.h>

#include "net/loop.h"

struct mock_thread {
    struct lb_host host;
    struct ln_loop *loop;
    struct mock *mock;
    pthread_t thread;
};

static void *run(void *context)
{
    struct mock_thread *thread = context;

    ln_loop_run(thread->loop);
    return NULL;
}

struct mock_thread *mock_start(const struct mock_options *options)
{
    struct mock_thread *made = calloc(1, sizeof *made);
    struct mock_options filled = *options;
    struct llmgr_error err = {0};

    if (made == NULL)
        return NULL;
    if (filled.address == NULL)
        filled.address = "127.0.0.1:0";
    lb_host_init(&made->host);
    if (ln_loop_new(&made->host, NULL, &made->loop, &err) == LLMGR_OK &&
        mock_new(made->loop, &filled, &made->mock, &err) == LLMGR_OK &&
        pthread_create(&made->thread, NULL, run, made) == 0)
        return made;
    fprintf(stderr, "mock: %s\n", err.message);
    mock_free(made->mock);
    ln_loop_free(made->loop);
    free(made);
    return NULL;
}

void mock_stop(struct mock_thread *thread)
{
    if (thread == NULL)
        return;
    ln_loop_stop(thread->loop);
    pthread_join(thread->thread, NULL);
    mock_free(thread->mock);
    ln_loop_free(thread->loop);
    free(thread);
}

uint16_t mock_thread_port(const struct mock_thread *thread)
{
    return mock_port(thread->mock);
}

struct mock_counts *mock_thread_counts(struct mock_thread *thread)
{
    return mock_counts(thread->mock);
}

char *mock_thread_requests(struct mock_thread *thread)
{
    static const char ASK[] =
        "GET /_mock/requests HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_port = htons(mock_thread_port(thread)),
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    size_t size = 0, room = 1 << 16;
    char *text = malloc(room);
    ssize_t got = 0;

    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (text == NULL || fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof addr) != 0 ||
        write(fd, ASK, sizeof ASK - 1) < 0)
        abort();
    while ((got = read(fd, text + size, room - size - 1)) > 0) {
        size += (size_t)got;
        if (room - size < 4096 && (text = realloc(text, room *= 2)) == NULL)
            abort();
    }
    close(fd);
    text[size] = '\0';
    char *body = strstr(text, "\r\n\r\n");
    if (body == NULL)
        abort();
    memmove(text, body + 4, strlen(body + 4) + 1);
    return text;
}
