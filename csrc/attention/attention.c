/* Scaled dot-product attention and its gradient, in blocks: the scores never go through memory.
 *
 *   attention        in query, key, value[, bias][, mask][, seed]        out y, lse
 *     logits l = f[0] query . key + bias, for each batch and head; where mask is false, or the key's position is past
 *     the query's and i[0] is set, l is `masked` = -0.7 times the largest number of the type.
 *     y = softmax(l) value           lse = log(sum exp(l)) over the keys
 *
 *   attention_grad   in query, key, value, y, lse, g, glse[, bias][, mask][, seed]      out dq, dk, dv[, dlogits]
 *     With p = exp(l - lse) (the softmax) and dp = g . value:
 *     dl = p (dp - (g . y) + glse)  where l is not masked, else 0; this is dlogits, the gradient to the bias
 *     dq = f[0] dl key       dk = f[0] dl^T query       dv = p^T g
 *
 *   query (batch, T, heads, width), key (batch, S, groups, width), value (batch, S, groups, value width); each key head
 *   serves heads / groups neighbouring query heads.  y and g are (batch, T, heads, value width), lse and glse (batch,
 *   heads, T), dlogits (batch, heads, T, S).  bias (of query's dtype) and mask (bool) have four dimensions that broadcast
 *   to (batch, heads, T, S).
 *   i[0]: causal  i[1..4): whether there is a bias, a mask, a seed
 *   f[0]: scale   f[1]: with a seed (two uint32, the key of philox.h), the rate of dropout.  Each softmax weight is then
 *     multiplied by 1 / (1 - rate) with probability 1 - rate, else by 0; lse is that without dropout.  The decision for
 *     (batch, head, query, key) is word key % 64 of the group of 64 words with the number ((batch heads + head) T +
 *     query) ceil(S / 64) + key / 64.
 *
 * A row that may attend to no key has equal weights, 1 / S, as the softmax of equal logits is, and lse = -inf; the
 * gradient takes p = 1 / S and dl = 0 from that.  With S = 0, y is 0.  A row whose logits are all -inf is NaN.
 *
 * T. Dao, D. Fu, S. Ermon, A. Rudra, C. Re, FlashAttention (2022); M. Milakov, N. Gimelshein, Online normalizer
 * calculation for softmax (2018).  A panel of scores, some queries with a block of keys, stays in L1 from the product that
 * makes it to those that use it; up to KEYS keys are one block, whose softmax is a plain one.  Keys are in the
 * lanes: so all products but the scores' read their operands where they lie (tile_body.h).  A task of the forward pass
 * is some blocks of queries; of the backward pass a key head and a part of its queries, and parts are summed in order.
 * What is cut, and how, follows from the shape alone. */
#include "elementwise/vmath.h"
#include "gemm/core.h"
#include "random/philox.h"

enum {
  QUERIES = 128,       /* queries of a block of the backward pass, whose blocks make parts */
  CAUSAL_QUERIES = 64, /* where half of the pairs on the diagonal of a block are in vain */
  FORWARD_QUERIES = 256,
  KEYS = 128,         /* keys of a block at most */
  PANEL = 48 << 10,   /* bytes of a panel of scores at most, but for one tile */
  TASK_WORK = 500000, /* multiply-adds that make a task */
  PARTS = 32,         /* tasks of the backward pass that are wanted at least */
  LINE = 64,          /* bytes of a line of the caches */
  MADE = 4,           /* ways of a set of L1 that rows may take which have been copied anyhow, */
  WAYS = 7,           /* and others, which must gain what their copy costs */
  SHARED = 16         /* queries that a copy of keys or values serves at least */
};

/* Whether so many rows, so many bytes apart, want more than so many ways of the sets of L1 that they meet in. */
static int crowded(int64_t rows, int64_t bytes, int ways) { return rows > kr_sets_met(bytes) * ways; }

typedef struct {
  int64_t batch, queries, keys, heads, groups, share, width, value_width; /* share: query heads of a key head */
  int64_t block, blocks;                                                  /* queries of a block; blocks of a head */
  int64_t step;                       /* keys of a block: whole groups of random words, or all of them */
  int64_t bias_step[4], mask_step[4]; /* 0 where they broadcast */
  const kr_array *bias, *mask, *seed;
  int causal;
} attention_shape;

static void steps_of(const kr_array *x, int64_t *step) {
  int64_t size = 1;
  for (int d = 3; d >= 0; --d) {
    step[d] = x->shape[d] == 1 ? 0 : size;
    size *= x->shape[d];
  }
}

/* extra: position of the first optional input; most: queries of a block at most. */
static attention_shape shape_of(const kr_call *c, int extra, int64_t most) {
  const kr_array *q = &c->in[0], *k = &c->in[1];
  attention_shape s = {.batch = q->shape[0],
                       .queries = q->shape[1],
                       .heads = q->shape[2],
                       .width = q->shape[3],
                       .keys = k->shape[1],
                       .groups = k->shape[2],
                       .value_width = c->in[2].shape[3],
                       .causal = c->i[0] != 0};
  s.share = s.groups ? s.heads / s.groups : 0;
  s.blocks = kr_ceil_div(s.queries, most);
  s.block = s.blocks ? kr_ceil_div(s.queries, s.blocks) : 0;
  s.blocks = s.block ? kr_ceil_div(s.queries, s.block) : 0;
  s.step = s.keys <= KEYS ? kr_max(1, s.keys) : kr_round_up(kr_ceil_div(s.keys, kr_ceil_div(s.keys, KEYS)), WORDS);
  if (c->i[1]) steps_of(s.bias = &c->in[extra++], s.bias_step);
  if (c->i[2]) steps_of(s.mask = &c->in[extra++], s.mask_step);
  if (c->i[3]) s.seed = &c->in[extra++];
  return s;
}

static attention_shape forward_shape(const kr_call *c) { return shape_of(c, 3, FORWARD_QUERIES); }
static attention_shape backward_shape(const kr_call *c) { return shape_of(c, 7, c->i[0] ? CAUSAL_QUERIES : QUERIES); }

/* How many of a block's queries make a panel, of `bytes` for each: tiles of equal height where it can be. */
static int64_t panel_rows(int64_t block, int64_t bytes) {
  const int64_t most = kr_max(GEMM_MR, PANEL / bytes);
  return kr_max(1, kr_ceil_div(block, kr_max(1, kr_ceil_div(block, most))));
}

/* Whether each of `queries` x `keys` weights is kept, as bytes, rows `step` apart: dropout's decisions. */
typedef struct {
  philox p;
  uint32_t limit; /* a word up to it keeps its element */
  int none;       /* nothing is kept */
} dropout;

static dropout dropout_of(const kr_call *c, const attention_shape *s) {
  const double limit = nearbyint((1 - c->f[1]) * 0x1p32) - 1;
  dropout d = {.none = limit < 0, .limit = limit < 0 ? 0 : (uint32_t)limit};
  if (s->seed) d.p = philox_of(s->seed->data, 0);
  return d;
}

static void decide(const dropout *d, const attention_shape *s, int64_t b, int64_t head, int64_t query, int64_t queries,
                   int64_t key, int64_t keys, int64_t step, uint8_t *keep) {
  const int64_t groups = kr_ceil_div(s->keys, WORDS);
  for (int64_t i = 0; i < queries; ++i) {
    const int64_t first = ((b * s->heads + head) * s->queries + query + i) * groups + key / WORDS;
    for (int64_t g = 0; g * WORDS < keys; ++g) {
      uint32_t word[WORDS];
      philox_group(&d->p, first + g, word);
      for (int w = 0; w < WORDS; ++w) keep[i * step + g * WORDS + w] = !d->none && word[w] <= d->limit;
    }
  }
}

static int64_t keep_step(const attention_shape *s) { return s->seed ? kr_round_up(s->step, WORDS) : 0; }

/* Takes `count` elements from a worker's scratch. */
#define TAKE(at, count) (at += kr_round_up(count, 16), at - kr_round_up(count, 16))

#include "gemm/turn.h"

#define KR_REAL 32
#include "base/real.h"
#include "tile_body.h"
#include "score_body.h"
#include "forward_body.h"
#include "backward_body.h"
#undef KR_REAL
#define KR_REAL 64
#include "base/real.h"
#include "tile_body.h"
#include "score_body.h"
#include "forward_body.h"
#include "backward_body.h"

KR_TABLE(attention) = {{"attention", KR_F32, attention_f32, attention_scratch_f32},
                       {"attention", KR_F64, attention_f64, attention_scratch_f64},
                       {"attention_grad", KR_F32, attention_grad_f32, attention_grad_scratch_f32},
                       {"attention_grad", KR_F64, attention_grad_f64, attention_grad_scratch_f64},
                       KR_TABLE_END};
