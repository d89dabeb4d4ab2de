/* How normalisation sees an array: (batch, outer, channels, inner), of which outer and inner are reduced. */
#ifndef KR_NORM_SHAPE_H
#define KR_NORM_SHAPE_H
#include "reduce/driver.h"

#define WORK 32768 /* elements of a task and of a chunk */
#define TILE 512   /* columns of a task */
#define GLUE 256   /* narrow rows are glued together up to about this many columns */
#define SAMPLE 32  /* elements of a channel that its mean is guessed from */

typedef struct {
  int64_t batch, outer, channels, inner;
  int64_t length, chunk, segments; /* the dimension that is cut (outer where inner is 1, else inner), and how */
  int64_t parts;                   /* partial results of each channel */
  int64_t tiles, group, stats_tasks;
  int64_t glue; /* rows of channels that are read as one; 1 where inner is not 1 */
} norm_shape;

static norm_shape norm_shape_make(int64_t batch, int64_t outer, int64_t channels, int64_t inner) {
  norm_shape s = {.batch = batch, .outer = outer, .channels = channels, .inner = inner, .glue = 1, .group = 1};
  s.tiles = kr_max(1, kr_ceil_div(channels, TILE));
  if (inner == 1) {
    s.length = outer;
    s.chunk = kr_max(64, kr_round_up(WORK / kr_max(1, channels), 8));
    s.parts = s.segments = kr_max(1, kr_ceil_div(outer, s.chunk));
    s.stats_tasks = batch * s.parts * s.tiles;
    while (channels > 0 && s.glue * channels < GLUE) s.glue *= 2;
  } else {
    s.length = inner;
    s.chunk = inner >= 2 * WORK ? WORK : kr_max(1, inner);
    s.segments = kr_max(1, kr_ceil_div(inner, s.chunk));
    s.parts = outer * s.segments;
    s.group = kr_max(1, WORK / s.chunk);
    s.stats_tasks = kr_ceil_div(batch * s.parts * channels, s.group);
  }
  return s;
}

/* From the shape of in[0] and the axes to reduce (bits); batch is -1 where the axes do not have this form. */
static KR_UNUSED norm_shape norm_shape_of(const kr_call *c, int64_t axes) {
  kr_shape_left g = kr_shape_start(&c->in[0], axes);
  int64_t dims[4] = {1, 1, 1, 1}; /* batch, outer, channels, inner: kept, reduced, kept, reduced */
  int at = 3;
  for (int k = g.groups - 1; k >= 0; --k) {
    if (g.reduced[k] != (at & 1)) --at;
    if (at < 0) return (norm_shape){.batch = -1};
    dims[at--] = g.size[k];
  }
  return norm_shape_make(dims[0], dims[1], dims[2], dims[3]);
}

/* Bytes that the statistics need: what the guesses lack, the guesses, and the partial sums. */
static KR_UNUSED size_t norm_stats_scratch(const norm_shape *s, size_t real_size) {
  int64_t reals = s->batch * s->channels * (1 + s->glue + 2 * s->parts);
  return (size_t)kr_round_up(reals * (int64_t)real_size, 64);
}

#endif
