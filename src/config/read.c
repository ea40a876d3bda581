/* SPDX-License-Identifier: MIT */
/* Blocks of a few KiB until the end or the limit; a pipe will do as well as a file. */
#include "config/read.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"

enum { BLOCK_SIZE = 16384 };

static llmgr_status fail_read(const char *path, int error, struct llmgr_error *err)
{
    if (error == ENOENT || error == ENOTDIR)
        return lb_fail(err, LLMGR_ERR_NOT_FOUND, N_("there is no file %s"), path);
    return lb_fail(err, LLMGR_ERR_IO, N_("cannot read %s: %s"), path, strerror(error));
}

static llmgr_status fail_size(const char *path, const struct lb_buf *out, struct llmgr_error *err)
{
    if (out->failed == LLMGR_ERR_NO_MEMORY)
        return lb_fail_memory(err);
    return lb_fail(err, LLMGR_ERR_CONFIG, N_("%s is larger than %zu bytes"), path, out->limit);
}

llmgr_status lc_read_file(const char *path, struct lb_buf *out, struct llmgr_error *err)
{
    llmgr_status status = LLMGR_OK;
    ssize_t got = 1;

    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return fail_read(path, errno, err);
    while (got != 0 && status == LLMGR_OK) {
        size_t room = out->limit - out->size;
        size_t step = room == 0 || room > BLOCK_SIZE ? BLOCK_SIZE : room;
        char probe;
        char *at = room != 0 ? lb_buf_reserve(out, step) : &probe;
        if (at == NULL) {
            status = fail_size(path, out, err);
            break;
        }
        got = read(fd, at, room != 0 ? step : 1);
        if (got < 0 && errno != EINTR)
            status = fail_read(path, errno, err);
        else if (got > 0 && room == 0)
            status = fail_size(path, out, err);
        else if (got > 0)
            lb_buf_grow(out, (size_t)got);
    }
    close(fd);
    return status;
}
