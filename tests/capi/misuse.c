/* Every function of ringtape.h, misused: it says so, and nobody crashes. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "ringtape.h"

static void refused(RtStatus status, const char *part) {
    if (status != RT_STATUS_USAGE || strstr(rt_message(), part) == NULL) {
        fprintf(stderr, "status %d, not `%s`: %s\n", status, part, rt_message());
        assert(0);
    }
}

int main(void) {
    RtEvent event = {0};
    size_t count = 9;
    assert(rt_message() != NULL);

    RtProducer *producer = NULL;
    RtConsumer *consumers[2] = {NULL, NULL};
    refused(rt_ring_new(3, 1, &producer, consumers), "power of two");
    refused(rt_ring_new(4, 0, &producer, consumers), "consumers");
    refused(rt_ring_new(4, 1, NULL, consumers), "null");
    refused(rt_ring_new(4, 1, &producer, NULL), "null");
    assert(producer == NULL && consumers[0] == NULL);
    assert(rt_ring_new(4, 2, &producer, consumers) == RT_STATUS_OK);
    refused(rt_publish(NULL, &event, 1), "producer");
    refused(rt_publish(producer, NULL, 1), "events");
    refused(rt_publish(producer, &event, (size_t)-1), "events");
    refused(rt_poll(NULL, &event, 1, &count), "consumer");
    refused(rt_poll(consumers[0], NULL, 1, &count), "events");
    refused(rt_poll(consumers[0], &event, 0, &count), "events");
    refused(rt_poll(consumers[0], &event, 1, NULL), "count");

    /* What is published comes once to each, in order; the end after it. */
    RtEvent sent[3] = {{.ts_event = 1}, {.ts_event = 2}, {.ts_event = 3}}, got[4];
    assert(rt_poll(consumers[0], got, 4, &count) == RT_STATUS_PENDING && count == 0);
    assert(rt_publish(producer, sent, 3) == RT_STATUS_OK);
    assert(rt_lag(consumers[0]) == 3 && rt_lag(NULL) == 0);
    for (int who = 0; who < 2; who++) {
        assert(rt_poll(consumers[who], got, 2, &count) == RT_STATUS_OK && count == 2);
        assert(rt_poll(consumers[who], got + 2, 2, &count) == RT_STATUS_OK && count == 1);
        assert(memcmp(got, sent, sizeof sent) == 0);
    }
    /* Who leaves before the end is missed by name. */
    rt_consumer_free(consumers[1]);
    assert(rt_publish(producer, sent, 1) == RT_STATUS_FAILED);
    assert(strstr(rt_message(), "consumer 1") != NULL);
    rt_producer_free(producer);
    assert(rt_poll(consumers[0], got, 1, &count) == RT_STATUS_END);
    rt_consumer_free(consumers[0]);

    RtJournal *journal = NULL;
    refused(rt_journal_open(NULL, &journal), "dir");
    refused(rt_journal_open("\xff", &journal), "UTF-8");
    refused(rt_journal_open("/no/such/journal", &journal), "/no/such/journal");
    refused(rt_journal_open("/", NULL), "");
    refused(rt_journal_read(NULL, &event, 1, &count), "journal");
    refused(rt_journal_seek(NULL, 0), "journal");
    assert(journal == NULL && rt_journal_position(NULL) == 0);

    RtBook *book = NULL;
    RtTouch touch;
    RtLevel level;
    uint32_t instrument;
    refused(rt_book_new(NULL), "out");
    assert(rt_book_new(&book) == RT_STATUS_OK);
    refused(rt_book_apply(NULL, &event, 1), "book");
    refused(rt_book_apply(book, NULL, 1), "events");
    event.kind = 255;
    event.instrument = UINT32_MAX;
    assert(rt_book_apply(book, &event, 1) == RT_STATUS_OK);
    assert(rt_book_apply(book, NULL, 0) == RT_STATUS_OK);
    refused(rt_book_find(book, "NONE", &instrument), "NONE");
    refused(rt_book_find(book, NULL, &instrument), "symbol");
    refused(rt_book_find(book, "NONE", NULL), "instrument");
    assert(rt_book_touch(book, UINT32_MAX, &touch) == RT_STATUS_OK && touch.bid_qty == 0);
    refused(rt_book_touch(book, 1, NULL), "touch");
    refused(rt_book_levels(book, 1, 3, &level, 1, &count), "side 3");
    assert(rt_book_levels(book, 1, 2, &level, 1, &count) == RT_STATUS_OK && count == 0);
    rt_book_free(book);

    rt_producer_free(NULL);
    rt_consumer_free(NULL);
    rt_journal_free(NULL);
    rt_book_free(NULL);
    puts("all refused");
    return 0;
}
