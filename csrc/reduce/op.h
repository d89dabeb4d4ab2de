/* The operations that fold_body.h can fold with; the sums come first. */
#ifndef KR_REDUCE_OP_H
#define KR_REDUCE_OP_H
enum reduce_op { OP_SUM, OP_SUM_SQUARE, OP_PROD, OP_MAX, OP_MIN };
#endif
