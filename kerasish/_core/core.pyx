"""Calls the kernels of csrc on NumPy arrays: looks them up, checks buffers, releases the GIL, reports errors.

Every kernel has one signature, so this one module serves all of them.
"""

cimport cython
cimport numpy as cnp
from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

cnp.import_array()

cdef extern from "reduce/chunk.h" nogil:
    int64_t kr_reduce_chunk(int64_t, int64_t, int64_t)


cdef extern from "base/watch.h" nogil:
    ctypedef struct kr_task_times:
        int64_t *record
        int64_t capacity
        int64_t used
    void kr_watch_tasks(kr_task_times *)


cdef extern from "kr.h" nogil:
    enum: KR_MAX_NDIM
    enum: KR_NUM_DTYPES
    enum: KR_FORM
    ctypedef enum kr_dtype:
        KR_BOOL, KR_I8, KR_U8, KR_I16, KR_U16, KR_I32, KR_U32, KR_I64, KR_U64, KR_F16, KR_F32, KR_F64
    ctypedef enum kr_status:
        KR_OK, KR_ENOMEM, KR_EINDEX, KR_ECANCELLED, KR_EINTERNAL
    ctypedef enum kr_isa:
        KR_ISA_SCALAR
        KR_NUM_ISAS
    ctypedef struct kr_array:
        void *data
        int32_t dtype
        int32_t ndim
        int64_t shape[8]
    ctypedef struct kr_error:
        int64_t position
        int64_t value
        int64_t limit
        int32_t input
    ctypedef struct kr_call:
        const kr_array *in_ "in"
        kr_array *out
        const int64_t *i
        const double *f
        void *scratch
        kr_error *error
        int32_t n_in, n_out, n_i, n_f
        int32_t threads
        const void *packed
    ctypedef kr_status (*kr_fn)(const kr_call *)
    ctypedef size_t (*kr_scratch_fn)(const kr_call *)
    ctypedef size_t (*kr_packing_fn)(const kr_call *, int64_t *)
    ctypedef struct kr_kernel:
        const char *name
        int32_t dtype
        kr_fn fn
        kr_scratch_fn scratch
        kr_packing_fn packing
    ctypedef struct kr_caches:
        int64_t l1d, l2, l3
    ctypedef struct kr_thread_limits:
        int affinity, cgroup, environment, automatic
    ctypedef struct kr_memory:
        int64_t live_bytes, cached_bytes, peak_bytes, system_calls
    const char *kr_isa_name(kr_isa)
    int kr_isa_supported(kr_isa)
    kr_isa kr_isa_active()
    int kr_isa_set(kr_isa)
    int kr_isa_parse(const char *)
    const char *kr_isa_rejected()
    const kr_caches *kr_cpu_caches()
    const kr_kernel *kr_find_isa(const char *, kr_dtype, kr_isa)
    const kr_kernel *kr_kernel_at(int64_t)
    const char *kr_family_at(int64_t, int64_t *)
    int kr_num_threads()
    int kr_set_num_threads(int)
    kr_thread_limits kr_get_thread_limits()
    void *kr_alloc(size_t)
    void kr_free(void *)
    void kr_trim()
    kr_memory kr_memory_stats()
    uint64_t kr_ftz_enable()
    void kr_ftz_restore(uint64_t)


_NAMES = ("bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float16", "float32",
          "float64")
DTYPE_CODES = {name: code for code, name in enumerate(_NAMES)}
MAX_NDIM = KR_MAX_NDIM

# NumPy's type numbers by dtype name, for allocation.
cdef dict _TYPE_NUMBERS = {
    "bool": cnp.NPY_BOOL, "int8": cnp.NPY_INT8, "uint8": cnp.NPY_UINT8, "int16": cnp.NPY_INT16,
    "uint16": cnp.NPY_UINT16, "int32": cnp.NPY_INT32, "uint32": cnp.NPY_UINT32, "int64": cnp.NPY_INT64,
    "uint64": cnp.NPY_UINT64, "float16": cnp.NPY_FLOAT16, "float32": cnp.NPY_FLOAT32, "float64": cnp.NPY_FLOAT64,
    "complex64": cnp.NPY_COMPLEX64, "complex128": cnp.NPY_COMPLEX128,
}
cdef dict _ITEM_SIZES = {
    "bool": 1, "int8": 1, "uint8": 1, "int16": 2, "uint16": 2, "int32": 4, "uint32": 4, "int64": 8, "uint64": 8,
    "float16": 2, "float32": 4, "float64": 8, "complex64": 8, "complex128": 16,
}


class IndexOutOfRange(Exception):
    """An index in a kernel's data is out of range."""

    def __init__(self, input, position, value, limit):
        super().__init__(f"index {value} at position {position} of input {input} is outside [0, {limit})")
        self.input, self.position, self.value, self.limit = input, position, value, limit


@cython.final
cdef class Kernel:
    """A kernel of the registry: its name, the dtype it is registered for and the ISA it was compiled for."""

    cdef const kr_kernel *ptr
    cdef readonly str name, dtype, isa

    @property
    def needs_scratch(self):
        """Whether calls bring working memory."""
        return self.ptr.scratch != NULL

    def packing(self, tuple ins, tuple outs, tuple i=()):
        """How a call on arrays of these (dtype, shape) would have its input 1 packed, to be made once for many calls.

        Returns:
            The bytes that the kernel "<name>_pack" gives, and the form that it takes as its `i`; or None where the
            kernel reads the input as it is.
        """
        cdef kr_array arrays[KR_MAX_NDIM]
        cdef int64_t ints[64]
        cdef int64_t form[KR_FORM]
        cdef kr_call call
        cdef size_t bytes
        cdef int k, d
        if self.ptr.packing == NULL or len(ins) + len(outs) > KR_MAX_NDIM or len(i) > 64:
            return None
        memset(arrays, 0, sizeof(arrays))
        memset(&call, 0, sizeof(call))
        for k, (dtype, shape) in enumerate((*ins, *outs)):
            arrays[k].dtype = <int32_t><int>DTYPE_CODES[dtype]
            arrays[k].ndim = <int32_t>len(shape)
            for d in range(KR_MAX_NDIM):
                arrays[k].shape[d] = shape[d] if d < len(shape) else 1
        for k in range(<int>len(i)):
            ints[k] = i[k]
        call.in_, call.out, call.i = arrays, arrays + len(ins), ints
        call.n_in, call.n_out, call.n_i = <int32_t>len(ins), <int32_t>len(outs), <int32_t>len(i)
        call.threads = 1
        bytes = self.ptr.packing(&call, form)
        return None if bytes == 0 else (bytes, tuple([form[k] for k in range(KR_FORM)]))

    def __repr__(self):
        return f"<Kernel {self.name} {self.dtype} {self.isa}>"


@cython.final
cdef class _Block:
    """Owns one block of the core's allocator; the base object of the arrays that `empty` makes."""

    cdef void *p

    def __dealloc__(self):
        kr_free(self.p)


cdef int _kr_dtype(int type_number) except -1:
    if type_number == cnp.NPY_FLOAT: return KR_F32
    if type_number == cnp.NPY_DOUBLE: return KR_F64
    if type_number == cnp.NPY_INT32: return KR_I32
    if type_number == cnp.NPY_INT64 or type_number == cnp.NPY_LONGLONG: return KR_I64
    if type_number == cnp.NPY_BOOL: return KR_BOOL
    if type_number == cnp.NPY_UINT8: return KR_U8
    if type_number == cnp.NPY_INT8: return KR_I8
    if type_number == cnp.NPY_UINT16: return KR_U16
    if type_number == cnp.NPY_INT16: return KR_I16
    if type_number == cnp.NPY_UINT32: return KR_U32
    if type_number == cnp.NPY_UINT64 or type_number == cnp.NPY_ULONGLONG: return KR_U64
    if type_number == cnp.NPY_FLOAT16: return KR_F16
    raise TypeError(f"no kernel takes arrays of NumPy type number {type_number}")


cdef kr_isa _isa_of(name) except *:
    if name is None:
        return kr_isa_active()
    cdef int isa = kr_isa_parse(name.encode())
    if isa < 0:
        raise ValueError(f"unknown instruction set {name!r}; this machine has {isas()}")
    return <kr_isa>isa


def find(str name, str dtype, isa=None):
    """The kernel registered as (name, dtype) for an ISA (the active one by default), or None."""
    if dtype not in DTYPE_CODES:
        return None
    cdef kr_isa which = _isa_of(isa)
    cdef const kr_kernel *p = kr_find_isa(name.encode(), <kr_dtype><int>DTYPE_CODES[dtype], which)
    if p == NULL:
        return None
    cdef Kernel k = Kernel.__new__(Kernel)
    k.ptr = p
    k.name = name
    k.dtype = dtype
    k.isa = kr_isa_name(which).decode()
    return k


def kernels():
    """(name, dtype) of every kernel of the active ISA."""
    cdef int64_t n = 0
    cdef const kr_kernel *p
    out = []
    while True:
        p = kr_kernel_at(n)
        if p == NULL:
            return out
        out.append((p.name.decode(), _NAMES[p.dtype]))
        n += 1


def families():
    """Number of kernels of the active ISA by family (the folders of csrc)."""
    cdef int64_t n = 0, count = 0
    cdef const char *folder
    out = {}
    while True:
        folder = kr_family_at(n, &count)
        if folder == NULL:
            return out
        out[folder.decode()] = out.get(folder.decode(), 0) + count
        n += 1


def isas():
    """Names of the instruction sets that are compiled in and that this machine can run."""
    return [kr_isa_name(<kr_isa>i).decode() for i in range(KR_NUM_ISAS) if kr_isa_supported(<kr_isa>i)]


def isa():
    """Name of the active instruction set."""
    return kr_isa_name(kr_isa_active()).decode()


def isa_rejected():
    """What KERASISH_ISA named where that could not be obeyed, else None."""
    cdef const char *p = kr_isa_rejected()
    return None if p == NULL else p.decode()


_listeners = []


def on_isa_change(fn):
    """Calls fn() after each set_isa, for caches that hold kernels."""
    _listeners.append(fn)


def set_isa(str name):
    """Makes an instruction set the active one; for tests and benchmarks."""
    if kr_isa_set(_isa_of(name)) != 0:
        raise ValueError(f"instruction set {name!r} is not available; this machine has {isas()}")
    for fn in _listeners:
        fn()


def num_threads():
    """How many threads kernels may use."""
    return kr_num_threads()


def set_num_threads(int n):
    """Sets how many threads kernels may use (n < 1 restores the default) and returns the number in force."""
    return kr_set_num_threads(n)


def task_times(call, *args):
    """Calls `call(*args)` on this thread alone and returns how its work would be divided among `num_threads()`: a list of
    (ns at which a job began, int64 array of the ns that each of its tasks took), in order."""
    cdef kr_task_times times
    cdef cnp.ndarray record = empty((1 << 20,), "int64")
    cdef int64_t at = 0
    times.record, times.capacity, times.used = <int64_t *>cnp.PyArray_DATA(record), record.shape[0], 0
    kr_watch_tasks(&times)
    try:
        call(*args)
    finally:
        kr_watch_tasks(NULL)
    if times.used > times.capacity:
        raise MemoryError(f"task_times: there are more than {times.capacity} tasks")
    jobs = []
    while at < times.used:
        jobs.append((times.record[at + 1], record[at + 2 : at + 2 + times.record[at]].copy()))
        at += 2 + times.record[at]
    return jobs


def reduce_chunk(int64_t n, int64_t inner, int64_t unit):
    """How many of n rows of `inner` columns, of which `unit` make a sample, the reductions over leading dimensions reduce
    to one at first."""
    return kr_reduce_chunk(n, inner, unit)


def thread_limits():
    """What bounds the default number of threads; 0 where something sets no limit."""
    cdef kr_thread_limits t = kr_get_thread_limits()
    return {"affinity": t.affinity, "cgroup": t.cgroup, "environment": t.environment, "automatic": t.automatic}


def caches():
    """(L1 data, L2, L3) cache sizes in bytes."""
    cdef const kr_caches *c = kr_cpu_caches()
    return (c.l1d, c.l2, c.l3)


def memory_stats():
    """Bytes in use, bytes cached for reuse, the peak in use, and calls to the system's allocator."""
    cdef kr_memory m = kr_memory_stats()
    return {"live_bytes": m.live_bytes, "cached_bytes": m.cached_bytes, "peak_bytes": m.peak_bytes,
            "system_calls": m.system_calls}


def trim():
    """Gives cached memory back to the system."""
    kr_trim()


def empty(tuple shape, str dtype):
    """An uninitialised C-contiguous array, 64-byte aligned, from the caching allocator."""
    cdef Py_ssize_t n = len(shape), d
    cdef cnp.npy_intp dims[64]
    cdef size_t count = 1
    if n > 32:
        raise ValueError(f"an array has at most 32 dimensions. Received: {n}")
    for d in range(n):
        dims[d] = shape[d]
        if dims[d] < 0:
            raise ValueError(f"a dimension is at least 0. Received: shape={shape}")
        count *= <size_t>dims[d]
    cdef _Block block = _Block.__new__(_Block)
    block.p = kr_alloc(count * <size_t><int>_ITEM_SIZES[dtype])
    if block.p == NULL:
        raise MemoryError(f"cannot allocate an array of shape {shape} and dtype {dtype}")
    cdef cnp.ndarray out = cnp.PyArray_SimpleNewFromData(<int>n, dims, <int>_TYPE_NUMBERS[dtype], block.p)
    cnp.set_array_base(out, block)
    return out


cdef int _describe(kr_array *a, cnp.ndarray x) except -1:
    cdef int d, n = cnp.PyArray_NDIM(x)
    if n > KR_MAX_NDIM:
        raise ValueError(f"kernels take arrays of at most {KR_MAX_NDIM} dimensions. Received: {n}")
    if not cnp.PyArray_IS_C_CONTIGUOUS(x):
        raise ValueError("kernels take C-contiguous arrays only")
    a.data = cnp.PyArray_DATA(x)
    a.dtype = _kr_dtype(cnp.PyArray_TYPE(x))
    a.ndim = n
    for d in range(n):
        a.shape[d] = cnp.PyArray_DIM(x, d)
    for d in range(n, KR_MAX_NDIM):
        a.shape[d] = 1
    return 0


def run(Kernel kernel not None, tuple ins, tuple outs, tuple i=(), tuple f=(), str where="", cnp.ndarray packed=None):
    """Runs a kernel on arrays whose shapes and dtypes the op declaration has already checked; `packed` is input 1 as its
    packing kernel has left it (`Kernel.packing`).

    Raises IndexOutOfRange for a bad index in the data, MemoryError, or RuntimeError for a broken precondition.
    """
    cdef int n_in = <int>len(ins), n_out = <int>len(outs), n_i = <int>len(i), n_f = <int>len(f), k
    cdef size_t total = (n_in + n_out) * sizeof(kr_array) + n_i * sizeof(int64_t) + n_f * sizeof(double)
    cdef char stack[4096]
    cdef char *block = stack
    cdef kr_call call
    cdef kr_error error
    cdef kr_array *arrays
    cdef int64_t *ints
    cdef double *floats
    cdef kr_status status = KR_OK
    cdef size_t bytes
    cdef uint64_t state
    if total > sizeof(stack):
        block = <char *>malloc(total)
        if block == NULL:
            raise MemoryError()
    try:
        arrays = <kr_array *>block
        ints = <int64_t *>(block + (n_in + n_out) * sizeof(kr_array))
        floats = <double *>(ints + n_i)
        for k in range(n_in):
            _describe(&arrays[k], ins[k])
        for k in range(n_out):
            _describe(&arrays[n_in + k], outs[k])
        for k in range(n_i):
            ints[k] = i[k]
        for k in range(n_f):
            floats[k] = f[k]
        memset(&error, 0, sizeof(error))
        call.in_ = arrays
        call.out = arrays + n_in
        call.i = ints
        call.f = floats
        call.scratch = NULL
        call.error = &error
        call.n_in, call.n_out, call.n_i, call.n_f = n_in, n_out, n_i, n_f
        call.threads = kr_num_threads()
        call.packed = NULL if packed is None else cnp.PyArray_DATA(packed)
        if kernel.ptr.scratch != NULL:
            bytes = kernel.ptr.scratch(&call)
            if bytes > 0:
                call.scratch = kr_alloc(bytes)
                if call.scratch == NULL:
                    raise MemoryError(f"{where or kernel.name}: cannot allocate {bytes} bytes of scratch memory")
        with nogil:
            # Denormals are flushed in the workers; the calling thread must agree or bits would depend on the threads.
            state = kr_ftz_enable()
            status = kernel.ptr.fn(&call)
            kr_ftz_restore(state)
            kr_free(call.scratch)
    finally:
        if block != stack:
            free(block)
    if status == KR_OK:
        return
    if status == KR_EINDEX:
        raise IndexOutOfRange(error.input, error.position, error.value, error.limit)
    if status == KR_ENOMEM:
        raise MemoryError(f"{where or kernel.name}: out of memory")
    raise RuntimeError(f"{where or kernel.name}: the kernel refused its arguments (status {<int>status})")


include "program.pxi"
