/* The steps of reading a capture that go packet by packet, compiled.
 *
 * What each of them answers is defined by its numpy form; `steps.py` names it, and tests hold both to the
 * same answers on any bytes. Nothing is allocated here and nothing is kept. Every function is told where the
 * bytes end that it may read, and every index that comes from the capture is compared with that first.
 * Plain C11 without Python's headers; numbers are read as on little-endian machines.
 */
#include <stdint.h>
#include <string.h>

#define API __attribute__((visibility("default")))
#define AHEAD 16 /* rows: so far ahead what will be needed is asked for */
#define HEAD 16  /* bytes of a payload that gates can see */
#define NO_RANK 255
#define TCP 6
#define UDP 17
#define WANTED 1u

typedef const uint8_t *Data;

#ifndef SOURCE
#define SOURCE ""
#endif

/* CRC-32 of this file as it was compiled: `steps.py` uses no library of another one. */
API const char *camscan_source(void) { return SOURCE; }

static inline uint16_t be16(Data p) { return (uint16_t)(p[0] << 8 | p[1]); }

static inline uint32_t word(Data p) {
    uint32_t v;
    memcpy(&v, p, 4);
    return v;
}

static inline uint64_t half(Data p) {
    uint64_t v;
    memcpy(&v, p, 8);
    return v;
}

static inline uint32_t ordered(Data p, int32_t big) {
    return big ? __builtin_bswap32(word(p)) : word(p);
}

typedef struct {
    Data data;
    int64_t end;
    int64_t largest; /* bytes beyond which a length is not believed */
    int32_t big;
} Chunk;

/* Where the record of pcap at `place` ends; -1 where it is not whole, -2 where its length cannot be. */
static inline int64_t record_end(const Chunk *c, int64_t place) {
    if (place > c->end - 16) return -1;
    int64_t size = ordered(c->data + place + 8, c->big);
    if (size > c->largest) return -2;
    return place + 16 + size <= c->end ? place + 16 + size : -1;
}

/* The same for the enhanced packet block of pcapng at `place`; -1 for all others. */
static inline int64_t block_end(const Chunk *c, int64_t place) {
    if (place > c->end - 12 || ordered(c->data + place, c->big) != 6) return -1;
    int64_t size = ordered(c->data + place + 4, c->big);
    if (size < 12 || size & 3 || size > c->largest || place + size > c->end) return -1;
    return ordered(c->data + place + size - 4, c->big) == (uint32_t)size ? place + size : -1;
}

/* Follow several chains in step, each from its place in `starts` up to the beginning of the next: one waits for
 * memory while the others go on. Lane n writes to `places` from places[into[n]] on, where there is room for as many
 * records as fit. Per lane, how many, and where its next record begins; stop[1] says whether its length cannot be. */
static inline void follow(const Chunk *c, int blocks, int64_t lanes, const int64_t *starts,
                          const int64_t *into, int64_t *places, int64_t *counts, int64_t *ends,
                          int64_t *damaged) {
    int64_t going = lanes;
    for (int64_t n = 0; n < lanes; n++) {
        counts[n] = 0;
        ends[n] = starts[n];
        damaged[n] = 0;
    }
    while (going) {
        going = 0;
        for (int64_t n = 0; n < lanes; n++) {
            int64_t place = ends[n];
            if (damaged[n] < 0 || (n + 1 < lanes && place >= starts[n + 1])) continue;
            int64_t following = blocks ? block_end(c, place) : record_end(c, place);
            if (following < 0) {
                damaged[n] = following; /* this lane is done */
                continue;
            }
            places[into[n] + counts[n]++] = place;
            ends[n] = following;
            /* Headers of what is in the record are wanted soon; where the next one begins, now. */
            __builtin_prefetch(c->data + place + 76);
            __builtin_prefetch(c->data + following + 8);
            going++;
        }
    }
    for (int64_t n = 0; n < lanes; n++) damaged[n] = damaged[n] == -2;
}

/* Records of pcap, and enhanced packet blocks of pcapng: chains of those that end before `end`. */
API void camscan_records(Data data, int64_t end, int32_t big, int64_t largest, int64_t lanes,
                         const int64_t *starts, const int64_t *into, int64_t *places,
                         int64_t *counts, int64_t *ends, int64_t *damaged) {
    Chunk chunk = {data, end, largest, big};
    follow(&chunk, 0, lanes, starts, into, places, counts, ends, damaged);
}

API void camscan_blocks(Data data, int64_t end, int32_t big, int64_t largest, int64_t lanes,
                        const int64_t *starts, const int64_t *into, int64_t *places,
                        int64_t *counts, int64_t *ends, int64_t *damaged) {
    Chunk chunk = {data, end, largest, big};
    follow(&chunk, 1, lanes, starts, into, places, counts, ends, damaged);
}

/* The fields of pcap records: captured and stated length (not believed above `largest`), time in seconds. */
API void camscan_record_fields(Data data, const int64_t *places, int64_t n, int32_t big,
                               double unit, int64_t largest, int64_t *frame, int64_t *captured,
                               int64_t *wire, double *at) {
    for (int64_t i = 0; i < n; i++) {
        if (i + AHEAD < n) __builtin_prefetch(data + places[i + AHEAD]);
        Data p = data + places[i];
        int64_t held = ordered(p + 8, big), stated = ordered(p + 12, big);
        if (stated < held) stated = held;
        frame[i] = places[i] + 16;
        captured[i] = held;
        wire[i] = stated > largest ? held : stated;
        at[i] = (double)ordered(p + 4, big) * unit + (double)ordered(p, big);
    }
}

typedef struct {
    uint64_t *a, *b;
    int64_t *size;
    double *at;
    uint8_t *flags;
    int64_t *payload, *held, *length, *transport, *mac, *row;
} Columns;

/* Columns of the plain packets among Ethernet frames (IPv4 without options, whole, TCP or UDP, no port of
 * `tunnel`); the rows of all others go to `others`. Returns how many are plain. */
API int64_t camscan_plain(Data data, int64_t n, const int64_t *frame, const int64_t *captured,
                          const int64_t *wire, const double *at, const uint8_t *tunnel,
                          const Columns *out, int64_t *others) {
    int64_t count = 0, rest = 0;
    for (int64_t i = 0; i < n; i++) {
        if (i + AHEAD < n) {
            __builtin_prefetch(data + frame[i + AHEAD] + 12);
            __builtin_prefetch(data + frame[i + AHEAD] + 54);
        }
        int64_t cap = captured[i];
        Data p = data + frame[i];
        int tcp = 0, plain = 0;
        int64_t total = 0;
        /* Whole headers: UDP 42 bytes, TCP 54. */
        if (cap >= 42 && (word(p + 12) & 0xFFFFFF) == 0x450008 && !(p[20] & 0x3F) && !p[21]) {
            total = be16(p + 16);
            int64_t there = total + 14 < cap ? total + 14 : cap;
            tcp = p[23] == TCP;
            plain = (tcp && there >= 54) || (p[23] == UDP && there >= 42 && !tunnel[be16(p + 36)]);
            plain = plain && total + 14 <= wire[i];
        }
        if (!plain) {
            others[rest++] = i;
            continue;
        }
        int64_t head = 28, length = total;
        if (tcp) {
            head = 20 + (p[46] >> 4) * 4;
        } else {
            /* UDP states its own length: what lies behind it is not its payload. */
            int64_t stated = be16(p + 38);
            if (stated >= 8 && stated + 20 < length) length = stated + 20;
        }
        length -= head;
        int64_t held = cap - 14 - head;
        if (held > length) held = length;
        /* A TCP header shorter than 20 bytes is no header. */
        if (held < 0 || (tcp && head < 40)) held = 0;
        if (length < 0 || (tcp && head < 40)) length = 0;
        out->a[count] = __builtin_bswap64(half(p + 26));
        out->b[count] = (uint64_t)p[23] << 32 | __builtin_bswap32(word(p + 34));
        out->size[count] = wire[i];
        out->at[count] = at[i];
        out->flags[count] = tcp ? p[47] : 0;
        out->payload[count] = frame[i] + 14 + head;
        out->held[count] = held;
        out->length[count] = length;
        out->transport[count] = frame[i] + 34;
        out->mac[count] = frame[i];
        out->row[count] = i;
        count++;
    }
    return count;
}

static inline uint64_t slot_of(uint64_t a, uint64_t b, int32_t bits) {
    uint64_t mixed = a * 0x9E3779B97F4A7C15u ^ b * 0xC2B2AE3D27D4EB4Fu;
    mixed ^= mixed >> 29;
    return mixed * 0xD6E8FEB86659FD93u >> (64 - bits);
}

/* The number of every pair in a table of `count` pairs; new pairs get the next numbers while there are fewer
 * than `most`, else 0. Returns the count afterwards. The table has room for `n` more (see PairTable). */
API int64_t camscan_numbers(const uint64_t *a, const uint64_t *b, int64_t n, uint64_t *known_a,
                            uint64_t *known_b, int32_t *slots, int32_t bits, int64_t count,
                            int64_t most, int32_t *out) {
    const uint64_t mask = ((uint64_t)1 << bits) - 1;
    uint64_t slot[AHEAD];
    for (int64_t begin = 0; begin < n; begin += AHEAD) {
        int lot = n - begin < AHEAD ? (int)(n - begin) : AHEAD;
        for (int i = 0; i < lot; i++) {
            slot[i] = slot_of(a[begin + i], b[begin + i], bits);
            __builtin_prefetch(slots + slot[i]);
        }
        for (int i = 0; i < lot; i++) {
            int32_t number = slots[slot[i]];
            __builtin_prefetch(known_a + number);
            __builtin_prefetch(known_b + number);
        }
        for (int i = 0; i < lot; i++) {
            uint64_t at = slot[i], x = a[begin + i], y = b[begin + i];
            int32_t number;
            while ((number = slots[at]) && (known_a[number] != x || known_b[number] != y))
                at = (at + 1) & mask;
            if (!number && count < most) {
                number = (int32_t)++count;
                slots[at] = number;
                known_a[number] = x;
                known_b[number] = y;
            }
            out[begin + i] = number;
        }
    }
    return count;
}

/* Add packets to the counters of their five-tuples; `touched` may be NULL. */
API void camscan_count(const int32_t *numbers, const int64_t *size, const double *at, int64_t n,
                       int64_t *packets, int64_t *sizes, double *first, double *last,
                       uint8_t *touched) {
    for (int64_t i = 0; i < n; i++) {
        if (i + AHEAD < n) {
            int32_t later = numbers[i + AHEAD];
            __builtin_prefetch(packets + later, 1);
            __builtin_prefetch(sizes + later, 1);
            __builtin_prefetch(first + later);
            __builtin_prefetch(last + later, 1);
        }
        int32_t k = numbers[i];
        packets[k] += 1;
        sizes[k] += size[i];
        if (at[i] < first[k]) first[k] = at[i];
        if (at[i] > last[k]) last[k] = at[i];
        if (touched) touched[k] = 1;
    }
}

typedef struct {
    int64_t proto; /* 0 = any */
    int64_t shortest, longest;
    int64_t end; /* payload bytes that must have been captured */
    int64_t rank;
    uint64_t weight;
    uint64_t mask[2];
    const uint8_t *ports;   /* by number: whether it is named; NULL = any port */
    const uint64_t *values; /* two numbers each; NULL = the words told already */
    int64_t count;
} Group;

typedef struct {
    int64_t offset;
    const uint8_t *some;  /* one bit for each word: whether a pattern begins so */
    const uint64_t *bits; /* of each word: which groups, by their place modulo 64 */
} Words;

typedef struct {
    const Group *by_port; /* bit n + 1 of `look` stands for the n-th */
    int64_t ports;
    const Words *words;
    int64_t offsets;
    const Group *by_bytes;
    int64_t groups;
} Gates;

typedef struct {
    const int32_t *forms; /* of a five-tuple: the form of its last short payload, 0 = none */
    const uint8_t *length;
    const uint64_t *first, *second;
} Echoes;

typedef struct {
    int64_t *rows;
    uint8_t *ranks;
    uint64_t *passed;
    uint8_t *heads; /* HEAD bytes each */
    int64_t *echoes;
    int32_t *forms; /* of the echoes */
} Picked;

static inline int fits(const Group *g, uint64_t proto, uint64_t source, uint64_t target,
                       int64_t length, int64_t held, const uint64_t *head) {
    if (length < g->shortest || length > g->longest || held < g->end) return 0;
    if (g->proto && (uint64_t)g->proto != proto) return 0;
    if (g->ports && !g->ports[source] && !g->ports[target]) return 0;
    if (!g->values) return 1;
    uint64_t one = head[0] & g->mask[0], two = head[1] & g->mask[1];
    for (int64_t v = 0; v < g->count; v++)
        if (g->values[2 * v] == one && g->values[2 * v + 1] == two) return 1;
    return 0;
}

/* Which packets pass a gate or are wanted, and which only repeat the last short payload of their five-tuple.
 * Returns how many were picked; the number of echoes goes to `heard`. `size`: bytes of `data`. */
API int64_t camscan_pick(Data data, int64_t size, const int64_t *payload, const int64_t *held,
                         const int64_t *length, const uint64_t *b, const int32_t *numbers,
                         int64_t n, const uint32_t *look, const Gates *gates, const Echoes *echoes,
                         const Picked *out, int64_t *heard) {
    int64_t count = 0, repeats = 0;
    for (int64_t i = 0; i < n; i++) {
        if (i + AHEAD < n) {
            __builtin_prefetch(data + payload[i + AHEAD]);
            __builtin_prefetch(look + numbers[i + AHEAD]);
        }
        if (held[i] <= 0 || payload[i] < 0 || payload[i] > size - HEAD) continue;
        Data p = data + payload[i];
        uint32_t known = look[numbers[i]];
        uint64_t bits = 0;
        for (int64_t w = 0; w < gates->offsets; w++) {
            const Words *words = gates->words + w;
            uint16_t at;
            memcpy(&at, p + words->offset, 2);
            if (words->some[at >> 3] >> (at & 7) & 1) bits |= words->bits[at];
        }
        if (!bits && !known) continue;
        uint64_t head[2] = {half(p), half(p + 8)};
        int32_t number = numbers[i];
        if (echoes && !(known & WANTED) && held[i] <= HEAD && held[i] == length[i] &&
            echoes->forms[number] > 0 && echoes->length[number] == held[i]) {
            int64_t kept = held[i];
            uint64_t low = kept >= 8 ? ~(uint64_t)0 : ((uint64_t)1 << 8 * kept) - 1;
            uint64_t high = kept >= 16 ? ~(uint64_t)0
                            : kept > 8 ? ((uint64_t)1 << 8 * (kept - 8)) - 1
                                       : 0;
            if ((head[0] & low) == echoes->first[number] &&
                (head[1] & high) == echoes->second[number]) {
                out->echoes[repeats] = i;
                out->forms[repeats++] = echoes->forms[number];
                continue;
            }
        }
        uint64_t proto = b[i] >> 32 & 0xFF, source = b[i] >> 16 & 0xFFFF, target = b[i] & 0xFFFF;
        uint64_t passed = 0;
        int64_t rank = NO_RANK;
        uint32_t named = known >> 1;
        while (named) {
            const Group *g = gates->by_port + __builtin_ctz(named);
            named &= named - 1;
            if (length[i] >= g->shortest && length[i] <= g->longest) {
                if (g->rank < rank) rank = g->rank;
                passed += g->weight;
            }
        }
        while (bits) {
            int64_t place = __builtin_ctzll(bits);
            bits &= bits - 1;
            for (; place < gates->groups; place += 64) {
                const Group *g = gates->by_bytes + place;
                if (fits(g, proto, source, target, length[i], held[i], head)) {
                    if (g->rank < rank) rank = g->rank;
                    passed += g->weight;
                }
            }
        }
        if (rank == NO_RANK && !(known & WANTED)) continue;
        out->rows[count] = i;
        out->ranks[count] = (uint8_t)rank;
        out->passed[count] = passed;
        memcpy(out->heads + HEAD * count, head, HEAD);
        count++;
    }
    *heard = repeats;
    return count;
}

enum { PAYLOAD = 1, QUESTION, HELLO, SEALED, ENDS }; /* places in ALIKE */
enum { NO_FORM, SILENT, SUMMED };
enum { LONGEST = 512, LONGEST_NAME = 128, LONGEST_PROTOCOLS = 32, MOST_EXTENSIONS = 48, MOST_RECORD = 16640 };

typedef struct {
    const uint64_t *veil, *spread, *one, *two; /* secret numbers */
    int64_t own;                               /* where those for ends and sizes begin */
} Secret;

typedef struct {
    uint64_t x, y;
} Sums;

static inline void mix(Sums *sums, const Secret *s, int64_t k, uint64_t v) {
    v = (v ^ s->veil[k]) * s->spread[k];
    v ^= v >> 32;
    sums->x += v * s->one[k];
    sums->y += v * s->two[k];
}

/* Words of `left` bytes, mixed with the numbers from `k` on; the last one filled up with zeros. */
static inline void mix_bytes(Sums *sums, const Secret *s, int64_t k, Data p, int64_t left) {
    for (; left > 0; k++, p += 8, left -= 8) {
        uint64_t v = 0;
        memcpy(&v, p, left < 8 ? (size_t)left : 8);
        mix(sums, s, k, v);
    }
}

/* What matters of a ClientHello that is whole and holds nothing odd (see `hellos.py`); 0 where it is not. */
static int hello(Sums *sums, const Secret *s, Data p, int64_t held) {
    if (held < 9 + 34 + 1) return 0;
    int64_t record = be16(p + 3), size = (int64_t)p[6] << 16 | be16(p + 7);
    int64_t at = 9 + 34, end = 9 + size;
    if (record > MOST_RECORD || size + 4 > record || end > held || size <= 34 || p[9] != 3) return 0;
    /* Session id, cipher suites and compression methods lie before the extensions. */
    at += 1 + p[at];
    if (at + 2 > end) return 0;
    at += 2 + be16(p + at);
    if (at >= end) return 0;
    at += 1 + p[at];
    if (at + 2 > end) return 0;
    if (at + 2 + be16(p + at) < end) end = at + 2 + be16(p + at);
    at += 2;
    int64_t name = -1, protocols = -1, name_at = 0, protocols_at = 0, ech = 0, turns = 0;
    for (; at + 4 <= end; turns++) {
        int64_t kind = be16(p + at), length = be16(p + at + 2);
        at += 4;
        if (turns == MOST_EXTENSIONS || at + length > end) return 0;
        if (kind == 0) {
            if (name >= 0) return 0;
            name = length;
            name_at = at;
        } else if (kind == 16) {
            if (protocols >= 0) return 0;
            protocols = length;
            protocols_at = at;
        } else if (kind == 0xFE0D) {
            ech = 1;
        }
        at += length;
    }
    if (name > LONGEST_NAME || protocols > LONGEST_PROTOCOLS) return 0;
    mix_bytes(sums, s, 0, p + name_at, name);
    mix_bytes(sums, s, LONGEST_NAME / 8, p + protocols_at, protocols);
    mix(sums, s, (LONGEST_NAME + LONGEST_PROTOCOLS) / 8,
        (uint64_t)(name & 0xFFFF) | (uint64_t)(protocols & 0xFFFF) << 16 | (uint64_t)ech << 32);
    return 1;
}

typedef struct {
    const uint64_t *a, *b;
    const int64_t *payload, *held, *length, *mac;
} Fields;

/* Which packets have a form, and two sums that tell one form from another (see `alike.py`). `servers`: by port,
 * whether a gate names it. */
API void camscan_forms(Data data, int64_t size, int64_t n, const int64_t *rows, const uint8_t *ranks,
                       const uint64_t *passed, const Fields *f, const uint8_t *servers,
                       const Secret *s, uint8_t *kinds, uint64_t *first, uint64_t *second) {
    for (int64_t i = 0; i < n; i++) {
        if (i + AHEAD < n) __builtin_prefetch(data + f->payload[rows[i + AHEAD]]);
        int64_t row = rows[i], held = f->held[row], at = f->payload[row], sized = 0;
        uint64_t b = f->b[row], proto = b >> 32 & 0xFF;
        uint8_t rank = ranks[i];
        Sums sums = {0, 0};
        kinds[i] = NO_FORM;
        if (held <= 0 || at < 0 || held > size - at) continue;
        if (proto != (rank == HELLO || rank == SEALED ? TCP : UDP)) continue;
        if (rank == PAYLOAD || rank == QUESTION) {
            int64_t skip = rank == QUESTION ? 2 : 0;
            if (held <= skip || held != f->length[row] || held - skip > LONGEST) continue;
            mix_bytes(&sums, s, 0, data + at + skip, held - skip);
            sized = held;
        } else if (rank == SEALED) {
            /* Something other than a handshake follows in the segment. */
            if (held < 10) continue;
            int64_t following = 5 + be16(data + at + 3);
            if (following + 5 <= held && data[at + following] != 22) kinds[i] = SILENT;
            continue;
        } else if (rank == HELLO) {
            if (!hello(&sums, s, data + at, held)) continue;
        } else if (rank == ENDS) {
            mix(&sums, s, 0, passed[i]);
        } else {
            continue;
        }
        /* A client's own port changes from question to question where the server's is known. */
        int source = servers[b >> 16 & 0xFFFF], target = servers[b & 0xFFFF] || rank == HELLO;
        uint64_t kept = b;
        if (source && !target) kept &= ~(uint64_t)0xFFFF;
        if (target && !source) kept &= ~(uint64_t)0xFFFF0000;
        kept ^= (uint64_t)rank << 44 ^ (uint64_t)sized << 48;
        mix(&sums, s, s->own, f->a[row]);
        mix(&sums, s, s->own + 1, kept);
        if (rank == HELLO && f->mac[row] >= 0 && f->mac[row] <= size - 12)
            mix_bytes(&sums, s, s->own + 2, data + f->mac[row], 12);
        kinds[i] = SUMMED;
        first[i] = sums.x ^ sums.x >> 31;
        second[i] = sums.y ^ sums.y >> 31;
    }
}

/* Bits of `tcp` or `udp` at the two ports of each five-tuple, moved up by one. */
API void camscan_ports(const uint64_t *b, int64_t n, const uint32_t *tcp, const uint32_t *udp,
                       uint32_t *out) {
    for (int64_t i = 0; i < n; i++) {
        uint64_t proto = b[i] >> 32 & 0xFF;
        const uint32_t *table = proto == TCP ? tcp : proto == UDP ? udp : NULL;
        out[i] = table ? (table[b[i] >> 16 & 0xFFFF] | table[b[i] & 0xFFFF]) << 1 : 0;
    }
}

enum { INSIDE, OUTSIDE, GROUP };

typedef struct {
    uint64_t first, last; /* of an IPv4 network */
    uint64_t broadcast;   /* beyond all addresses where there is none */
} Network;

static inline int place_of(uint64_t address, const Network *networks, int64_t count) {
    int place = OUTSIDE;
    for (int64_t k = 0; k < count; k++) {
        if (address >= networks[k].first && address <= networks[k].last) place = INSIDE;
        if (address == networks[k].broadcast) place = GROUP;
    }
    if (address >> 28 == 14 || address == 0xFFFFFFFF || address >> 24 == 0) place = GROUP;
    return place;
}

/* Whether one end of each pair of IPv4 addresses lies outside and none is a group (see `places.py`). */
API void camscan_leaves(const uint64_t *a, int64_t n, const Network *networks, int64_t count,
                        uint8_t *out) {
    for (int64_t i = 0; i < n; i++) {
        int source = place_of(a[i] >> 32, networks, count);
        int target = place_of(a[i] & 0xFFFFFFFF, networks, count);
        out[i] = source != GROUP && target != GROUP && (source == OUTSIDE || target == OUTSIDE);
    }
}
