/* Maps the type-generic names (real, vreal, v_add, ...) to float or double; KR_REAL says which.  Include it again after
 * changing KR_REAL. */
#undef real
#undef vreal
#undef vint
#undef vmask
#undef KR_FN
#undef V_LANES
#undef KR_REAL_DTYPE
#undef KR_V
#undef ireal
#undef ureal
#if KR_REAL == 32
#define real float
#define ireal int32_t
#define ureal uint32_t
#define vreal v32f
#define vint v32i
#define vmask v32m
#define V_LANES KR_F32_LANES
#define KR_REAL_DTYPE KR_F32
#define KR_FN(name) name##_f32
#define KR_V(name) f32_##name
#elif KR_REAL == 64
#define real double
#define ireal int64_t
#define ureal uint64_t
#define vreal v64f
#define vint v64i
#define vmask v64m
#define V_LANES KR_F64_LANES
#define KR_REAL_DTYPE KR_F64
#define KR_FN(name) name##_f64
#define KR_V(name) f64_##name
#else
#error "define KR_REAL as 32 or 64 before including base/real.h"
#endif

#ifndef KR_REAL_NAMES
#define KR_REAL_NAMES
#define v_zero KR_V(zero)
#define v_set1 KR_V(set1)
#define v_load KR_V(load)
#define v_store KR_V(store)
#define v_load_n KR_V(load_n)
#define v_load_or KR_V(load_or)
#define v_store_n KR_V(store_n)
#define v_add KR_V(add)
#define v_sub KR_V(sub)
#define v_mul KR_V(mul)
#define v_div KR_V(div)
#define v_fma KR_V(fma)
#define v_fnma KR_V(fnma)
#define v_min KR_V(min)
#define v_max KR_V(max)
#define v_min_nan KR_V(min_nan)
#define v_max_nan KR_V(max_nan)
#define v_sqrt KR_V(sqrt)
#define v_abs KR_V(abs)
#define v_neg KR_V(neg)
#define v_copysign KR_V(copysign)
#define v_round KR_V(round)
#define v_floor KR_V(floor)
#define v_ceil KR_V(ceil)
#define v_trunc KR_V(trunc)
#define v_lt KR_V(lt)
#define v_le KR_V(le)
#define v_gt KR_V(gt)
#define v_ge KR_V(ge)
#define v_eq KR_V(eq)
#define v_ne KR_V(ne)
#define v_isnan KR_V(isnan)
#define v_unordered KR_V(unordered)
#define v_select KR_V(select)
#define m_and KR_V(m_and)
#define m_or KR_V(m_or)
#define m_not KR_V(m_not)
#define m_any KR_V(m_any)
#define m_all KR_V(m_all)
#define v_to_int KR_V(to_int)
#define vi_to_real KR_V(i_to_real)
#define v_as_int KR_V(as_int)
#define vi_as_real KR_V(i_as_real)
#define vi_set1 KR_V(i_set1)
#define vi_load KR_V(i_load)
#define vi_store KR_V(i_store)
#define vi_add KR_V(i_add)
#define vi_sub KR_V(i_sub)
#define vi_and KR_V(i_and)
#define vi_or KR_V(i_or)
#define vi_xor KR_V(i_xor)
#define vi_shl KR_V(i_shl)
#define vi_shr KR_V(i_shr)
#define vi_count KR_V(i_count)
#define v_load_u8 KR_V(load_u8)
#define v_eq_u8 KR_V(eq_u8)
#define v_store_u8 KR_V(store_u8)
#define v_stores_u8 KR_V(stores_u8)
#define v_hsum KR_V(hsum)
#define v_hsums KR_V(hsums)
#define v_hmaxs KR_V(hmaxs)
#define v_hmins KR_V(hmins)
#define v_columns KR_V(columns)
#define v_take KR_V(take)
#define v_hmax KR_V(hmax)
#define v_hmin KR_V(hmin)
#endif
