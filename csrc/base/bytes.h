/* What kernels that only move elements share: the size of a dtype, its registration, and its integers as indices. */
#ifndef KR_BYTES_H
#define KR_BYTES_H
#include "kernel.h"

/* Table entries that register one function under every dtype. */
#define KR_EVERY_DTYPE(name, fn, scratch)                                                                            \
  {name, KR_BOOL, fn, scratch}, {name, KR_I8, fn, scratch}, {name, KR_U8, fn, scratch}, {name, KR_I16, fn, scratch}, \
      {name, KR_U16, fn, scratch}, {name, KR_I32, fn, scratch}, {name, KR_U32, fn, scratch},                         \
      {name, KR_I64, fn, scratch}, {name, KR_U64, fn, scratch}, {name, KR_F16, fn, scratch},                         \
      {name, KR_F32, fn, scratch}, {                                                                                 \
    name, KR_F64, fn, scratch                                                                                        \
  }

KR_INLINE int64_t kr_itemsize(int32_t dtype) {
  switch (dtype) {
    case KR_BOOL:
    case KR_I8:
    case KR_U8: return 1;
    case KR_I16:
    case KR_U16:
    case KR_F16: return 2;
    case KR_I32:
    case KR_U32:
    case KR_F32: return 4;
    default: return 8;
  }
}

KR_INLINE int kr_is_index(int32_t dtype) { return dtype >= KR_I8 && dtype <= KR_U64; }

/* Element `at` of an integer array, as int64.  A uint64 past the int64 range comes out negative, so every range check
 * refuses it (as -1 - something large, also where negative indices are allowed). */
KR_INLINE int64_t kr_index(const void *data, int32_t dtype, int64_t at) {
  switch (dtype) {
    case KR_I8: return ((const int8_t *)data)[at];
    case KR_U8: return ((const uint8_t *)data)[at];
    case KR_I16: return ((const int16_t *)data)[at];
    case KR_U16: return ((const uint16_t *)data)[at];
    case KR_I32: return ((const int32_t *)data)[at];
    case KR_U32: return ((const uint32_t *)data)[at];
    default: return ((const int64_t *)data)[at];
  }
}

/* Copies bytes from `half` to twice that many, as two pieces that may overlap. */
#define KR_COPY_PIECES(half)                   \
  do {                                         \
    char first_[half], last_[half];            \
    memcpy(first_, src, half);                 \
    memcpy(last_, src + bytes - (half), half); \
    memcpy(dst, first_, half);                 \
    memcpy(dst + bytes - (half), last_, half); \
  } while (0)

/* Copies rows of as many bytes each, whose beginnings lie dst_step and src_step bytes apart.  The sizes of small rows become
 * a few instructions, which memcpy's call would dwarf, and are looked at once. */
KR_INLINE void kr_copy_rows(char *dst, int64_t dst_step, const char *src, int64_t src_step, int64_t bytes,
                            int64_t rows) {
#define EACH_ROW for (int64_t i_ = 0; i_ < rows; ++i_, dst += dst_step, src += src_step)
  if (bytes > 128 || bytes < 1) EACH_ROW memcpy(dst, src, (size_t)bytes);
  else if (bytes == 4) EACH_ROW memcpy(dst, src, 4); /* one element */
  else if (bytes == 8) EACH_ROW memcpy(dst, src, 8);
  else if (bytes > 64) EACH_ROW KR_COPY_PIECES(64);
  else if (bytes > 32) EACH_ROW KR_COPY_PIECES(32);
  else if (bytes > 16) EACH_ROW KR_COPY_PIECES(16);
  else if (bytes > 8) EACH_ROW KR_COPY_PIECES(8);
  else if (bytes >= 4) EACH_ROW KR_COPY_PIECES(4);
  else if (bytes >= 2) EACH_ROW KR_COPY_PIECES(2);
  else EACH_ROW *dst = *src;
#undef EACH_ROW
}
#undef KR_COPY_PIECES

/* Copies a few bytes likewise. */
KR_INLINE void kr_copy(char *dst, const char *src, int64_t bytes) { kr_copy_rows(dst, 0, src, 0, bytes, 1); }

#endif
