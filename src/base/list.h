/* SPDX-License-Identifier: MIT */
/* An intrusive doubly linked list; a node belongs to at most one list. Never allocates. */
#ifndef LB_LIST_H
#define LB_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct lb_list {
    struct lb_list *next;
    struct lb_list *prev;
};

/* The object of `type` whose member `member` is the node `node`. */
#define LB_CONTAINER(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

/* Walks the nodes; `at` may be removed meanwhile because `after` was read before. */
#define LB_LIST_EACH(at, after, list)                                                              \
    for ((at) = (list)->next, (after) = (at)->next; (at) != (list);                                \
         (at) = (after), (after) = (at)->next)

static inline void lb_list_init(struct lb_list *list)
{
    list->next = list;
    list->prev = list;
}

static inline bool lb_list_empty(const struct lb_list *list)
{
    return list->next == list;
}

static inline void lb_list_add_tail(struct lb_list *list, struct lb_list *node)
{
    node->prev = list->prev;
    node->next = list;
    list->prev->next = node;
    list->prev = node;
}

static inline void lb_list_add_head(struct lb_list *list, struct lb_list *node)
{
    lb_list_add_tail(list->next, node);
}

/* Leaves the node initialised, so that removing it again is harmless. */
static inline void lb_list_remove(struct lb_list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    lb_list_init(node);
}

#endif
