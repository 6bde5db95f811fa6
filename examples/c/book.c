/* A market journal through a ring into the books, in C.
 *
 *     journal --> ring --> book
 *
 * `book DIR SYMBOL` prints the best bid and offer at the end of the journal in DIR, and the first
 * levels of both sides. The documentation of `ringtape::capi` says how to build it.
 */
#include <inttypes.h>
#include <stdio.h>

#include "ringtape.h"

enum { BATCH = 256, DEPTH = 3 };

/* Says what went wrong, where, and what to do. */
static int fail(const char *doing) {
    fprintf(stderr, "%s: %s\n", doing, rt_message());
    return 1;
}

static int print_side(RtBook *book, uint32_t instrument, uint8_t side, const char *name) {
    RtLevel levels[DEPTH];
    size_t count = 0;
    if (rt_book_levels(book, instrument, side, levels, DEPTH, &count) < 0) {
        return fail("levels");
    }
    for (size_t at = 0; at < count; at++) {
        printf("%s %" PRId64 " %" PRIu64 " in %" PRIu64 " orders\n", name, levels[at].price,
               levels[at].qty, levels[at].orders);
    }
    return 0;
}

/* Copies everything that is on the ring into the books. */
static RtStatus follow(RtConsumer *consumer, RtBook *book, uint64_t *records) {
    RtEvent events[BATCH];
    size_t count = 0;
    RtStatus status;
    while ((status = rt_poll(consumer, events, BATCH, &count)) == RT_STATUS_OK) {
        *records += count;
        if ((status = rt_book_apply(book, events, count)) < 0) {
            return status;
        }
    }
    return status;
}

static int run(RtJournal *journal, RtProducer *producer, RtConsumer *consumer, RtBook *book,
               const char *symbol) {
    RtEvent events[BATCH];
    size_t count = 0;
    uint64_t records = 0;
    RtStatus status;
    while ((status = rt_journal_read(journal, events, BATCH, &count)) != RT_STATUS_END) {
        if (status < 0) {
            return fail("journal");
        }
        if (status == RT_STATUS_OK && rt_publish(producer, events, count) < 0) {
            return fail("ring");
        }
        if (follow(consumer, book, &records) < 0) {
            return fail("book");
        }
    }
    uint32_t instrument = 0;
    if (rt_book_find(book, symbol, &instrument) < 0) {
        return fail("symbol");
    }
    RtTouch touch;
    if (rt_book_touch(book, instrument, &touch) < 0) {
        return fail("touch");
    }
    printf("records %" PRIu64 "\n", records);
    printf("touch %" PRIu64 " x %" PRIu64 "\n", touch.bid_qty, touch.ask_qty);
    return print_side(book, instrument, 1, "bid") || print_side(book, instrument, 2, "ask");
}

int main(int argc, char **argv) {
    if (argc != 3) {
        fprintf(stderr, "usage: book DIR SYMBOL\n");
        return 2;
    }
    RtJournal *journal = NULL;
    RtProducer *producer = NULL;
    RtConsumer *consumer = NULL;
    RtBook *book = NULL;
    int code = 1;
    if (rt_journal_open(argv[1], &journal) < 0) {
        fail("journal");
    } else if (rt_ring_new(1024, 1, &producer, &consumer) < 0) {
        fail("ring");
    } else if (rt_book_new(&book) < 0) {
        fail("book");
    } else {
        code = run(journal, producer, consumer, book, argv[2]);
    }
    rt_producer_free(producer);
    rt_consumer_free(consumer);
    rt_journal_free(journal);
    rt_book_free(book);
    return code;
}
