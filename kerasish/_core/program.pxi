# Programs: the C structures of a planned step, built once from plain Python data, and their runs.

cdef extern from "kr.h" nogil:
    enum: KR_BLOCK_ARRAYS
    ctypedef struct kr_local:
        int32_t array
        int64_t row_bytes, block_bytes, offset
        kr_array view
    ctypedef struct kr_inner:
        kr_fn fn
        kr_scratch_fn scratch
        const kr_local *locals
        const int64_t *i
        const double *f
        int32_t n_in, n_out, n_i, n_f, packed
    ctypedef struct kr_part:
        int64_t rows, block, first_task, tasks
        int32_t fixed
        const kr_inner *inner
        int32_t n_inner
    ctypedef struct kr_blocks:
        const kr_part *parts
        int64_t tasks
        size_t scratch, temporaries
        int32_t n_parts
        int64_t most
    ctypedef struct kr_step:
        kr_fn fn
        const kr_blocks *blocks
        kr_scratch_fn scratch
        const int64_t *i
        const double *f
        int32_t first, n_in, n_out, n_i, n_f, packed
    ctypedef struct kr_place:
        int32_t slot
        int64_t offset
    ctypedef struct kr_program:
        const kr_step *steps
        kr_array *arrays
        const kr_place *places
        int32_t n_steps, n_arrays, n_kept
    ctypedef struct kr_feed:
        const char *source
        int64_t row_bytes
        int32_t slot
    ctypedef struct kr_failure:
        int32_t step, part, inner
        kr_error error
    ctypedef kr_status (*kr_host_fn)(void *, int32_t, kr_array *)
    ctypedef struct kr_run:
        kr_array *arrays
        char **slots
        void *scratch
        kr_host_fn host
        void *user
        int64_t *times
        const char *made
        kr_feed *feeds
        void *ahead
        const int64_t *rows
        const int32_t *taps
        const int32_t *swaps
        double *log
        int64_t batches, batch_rows
        int32_t n_feeds, n_taps, n_swaps, threads
        int64_t done
        kr_failure failure
    size_t kr_blocks_scratch(const kr_blocks *)
    size_t kr_program_scratch(const kr_program *, int)
    size_t kr_program_ahead(const kr_run *)
    kr_status kr_program_run(const kr_program *, kr_run *)


BLOCK_ARRAYS = KR_BLOCK_ARRAYS
# Complex arrays are for host kernels alone, so the core has no code for them.
PROGRAM_DTYPES = {**DTYPE_CODES, "complex64": KR_NUM_DTYPES, "complex128": KR_NUM_DTYPES + 1}
_NUMBERS_BY_CODE = [_TYPE_NUMBERS[name] for name in PROGRAM_DTYPES]


class StepFailed(Exception):
    """An index in the data of a program's step is out of range.

    Attributes:
        step, part, inner: which step; within blocks, which part and which of its calls.
        error: the IndexOutOfRange.
        batches_done: batches finished before it.
    """

    def __init__(self, step, part, inner, error, batches_done):
        super().__init__(str(error))
        self.step, self.part, self.inner, self.error, self.batches_done = step, part, inner, error, batches_done


@cython.final
cdef class _Host:
    """What a run's host kernels need: the function that runs them, and the exception that one has raised."""

    cdef object run, error
    cdef const kr_program *program


cdef cnp.ndarray _wrapped(const kr_array *a):
    cdef cnp.npy_intp dims[8]
    cdef int d
    for d in range(a.ndim):
        dims[d] = a.shape[d]
    return cnp.PyArray_SimpleNewFromData(a.ndim, dims, <int>_NUMBERS_BY_CODE[a.dtype], a.data)


cdef kr_status _run_host_step(void *user, int32_t step, kr_array *arrays) noexcept with gil:
    cdef _Host host = <_Host>user
    cdef const kr_step *s = &host.program.steps[step]
    cdef int k
    try:
        ins = [_wrapped(&arrays[k]) for k in range(s.n_in)]
        for x in ins:
            x.flags.writeable = False
        outs = host.run(step, ins)
        for k in range(s.n_out):
            _wrapped(&arrays[s.n_in + k])[...] = outs[k]
        return KR_OK
    except BaseException as e:
        host.error = e
        return KR_ECANCELLED


@cython.final
cdef class Program:
    """A planned step, ready to run; immutable, and any number of threads may run it at once.

    Args:
        arrays: (dtype, shape) of every operand of every step, in the order of the steps, inputs before outputs.
        places: (slot, offset in bytes) of each of them. Slot 0 is the arena, slot k the buffer k - 1 of a run.
        steps: ("kernel", Kernel, inputs, outputs, i, f, packed), ("host", inputs, outputs), or
            ("blocks", inputs, outputs, parts, scratch bytes per worker, most); a part is (rows, rows of a block,
            [(Kernel, locals, inputs, outputs, i, f, packed)]), a local is (array of the step or -1, bytes between rows,
            bytes between blocks, offset, dtype, shape). Kernels within blocks get scratch of their own besides.
            `most` is how many tasks there is work for.
            `packed` is 0, or within blocks 1 + which of the step's arrays is input 1 packed; of a kernel, 1 where the
            step has such an array behind its outputs.
        n_buffers: how many buffers a run brings.
        arena: bytes of the arena.
        taps: arrays whose scalar is logged after each batch.
        swaps: pairs of slots that are exchanged after each batch.
        kept: how many of the first steps' results may be kept from one run to the next.
    """

    cdef kr_program p
    cdef list blocks_of_memory
    cdef readonly int64_t arena
    cdef readonly int n_buffers, n_steps, n_taps, n_kept
    cdef int32_t *taps
    cdef int32_t *swaps
    cdef int n_swaps
    cdef object kernels

    def __cinit__(self, list arrays, list places, list steps, int n_buffers, int64_t arena, tuple taps=(),
                  tuple swaps=(), int kept=0):
        self.blocks_of_memory = []
        self.kernels = []
        self.arena = arena
        self.n_buffers = n_buffers
        self.n_steps = <int>len(steps)
        self.n_taps = <int>len(taps)
        self.n_kept = self.p.n_kept = kept
        self.n_swaps = <int>len(swaps)
        cdef kr_array *a = <kr_array *>self._take(len(arrays) * sizeof(kr_array))
        cdef kr_place *place = <kr_place *>self._take(len(places) * sizeof(kr_place))
        cdef kr_step *step = <kr_step *>self._take(len(steps) * sizeof(kr_step))
        cdef int k
        if len(arrays) != len(places):
            raise ValueError("every array has a place")
        for k in range(len(arrays)):
            self._shape(&a[k], arrays[k][0], arrays[k][1])
            place[k].slot = places[k][0]
            place[k].offset = places[k][1]
            if not 0 <= place[k].slot <= n_buffers or place[k].offset < 0:
                raise ValueError(f"array {k} has no place: {places[k]}")
        cdef int first = 0
        for k in range(len(steps)):
            self._step(&step[k], steps[k], first)
            first += step[k].n_in + step[k].n_out + (step[k].packed > 0)
        if first != len(arrays):
            raise ValueError("the arrays are those of the steps")
        self.taps = <int32_t *>self._take(len(taps) * sizeof(int32_t))
        for k in range(len(taps)):
            self.taps[k] = taps[k]
        self.swaps = <int32_t *>self._take(2 * len(swaps) * sizeof(int32_t))
        for k in range(len(swaps)):
            self.swaps[2 * k] = swaps[k][0]
            self.swaps[2 * k + 1] = swaps[k][1]
        self.p.steps, self.p.arrays, self.p.places = step, a, place
        self.p.n_steps, self.p.n_arrays = <int32_t>len(steps), <int32_t>len(arrays)

    cdef void *_take(self, size_t bytes) except NULL:
        """Zeroed memory that lives as long as the program."""
        block = bytearray(<Py_ssize_t>bytes + 65)
        self.blocks_of_memory.append(block)
        cdef char *p = block
        return <void *>((<size_t>p + 63) & ~<size_t>63)

    cdef int _shape(self, kr_array *a, str dtype, tuple shape) except -1:
        cdef int d
        if len(shape) > KR_MAX_NDIM:
            raise ValueError(f"an array of a program has at most {KR_MAX_NDIM} dimensions")
        a.dtype = <int32_t><int>PROGRAM_DTYPES[dtype]
        a.ndim = <int32_t>len(shape)
        for d in range(KR_MAX_NDIM):
            a.shape[d] = shape[d] if d < len(shape) else 1
        return 0

    cdef const int64_t *_ints(self, tuple values) except NULL:
        cdef int64_t *out = <int64_t *>self._take(len(values) * sizeof(int64_t))
        cdef int k
        for k in range(len(values)):
            out[k] = values[k]
        return out

    cdef const double *_floats(self, tuple values) except NULL:
        cdef double *out = <double *>self._take(len(values) * sizeof(double))
        cdef int k
        for k in range(len(values)):
            out[k] = values[k]
        return out

    cdef int _step(self, kr_step *s, tuple given, int first) except -1:
        cdef Kernel kernel
        s.first = first
        if given[0] == "kernel":
            _, kernel, s.n_in, s.n_out, i, f, packed = given
            s.packed = s.n_in + s.n_out + 1 if packed else 0
            s.fn, s.scratch = kernel.ptr.fn, kernel.ptr.scratch
            s.i, s.f, s.n_i, s.n_f = self._ints(i), self._floats(f), <int32_t>len(i), <int32_t>len(f)
        elif given[0] == "host":
            _, s.n_in, s.n_out = given
        else:
            _, s.n_in, s.n_out, parts, scratch, most = given
            s.blocks = self._blocks(parts, scratch, most, s.n_in + s.n_out)
        return 0

    cdef const kr_blocks *_blocks(self, list parts, size_t scratch, int64_t most, int n_arrays) except NULL:
        cdef kr_blocks *b = <kr_blocks *>self._take(sizeof(kr_blocks))
        cdef kr_part *part = <kr_part *>self._take(len(parts) * sizeof(kr_part))
        cdef kr_inner *inner
        cdef kr_local *local
        cdef Kernel kernel
        cdef int64_t tasks = 0
        cdef int k, n, m
        for k in range(len(parts)):
            part[k].rows, part[k].block, calls = parts[k]
            part[k].first_task = tasks
            part[k].tasks = (part[k].rows + part[k].block - 1) // part[k].block
            tasks += part[k].tasks
            inner = <kr_inner *>self._take(len(calls) * sizeof(kr_inner))
            for n in range(len(calls)):
                kernel, locals_, inner[n].n_in, inner[n].n_out, i, f, inner[n].packed = calls[n]
                if inner[n].packed > n_arrays:
                    raise ValueError(f"the step has no array {inner[n].packed - 1}")
                if len(locals_) > KR_BLOCK_ARRAYS:
                    raise ValueError(f"{kernel} cannot run within blocks")
                local = <kr_local *>self._take(len(locals_) * sizeof(kr_local))
                for m in range(len(locals_)):
                    local[m].array, local[m].row_bytes, local[m].block_bytes, local[m].offset, dtype, shape = locals_[m]
                    part[k].fixed |= local[m].block_bytes > 0
                    if local[m].array >= n_arrays:
                        raise ValueError(f"the step has no array {local[m].array}")
                    self._shape(&local[m].view, dtype, shape)
                inner[n].fn, inner[n].scratch, inner[n].locals = kernel.ptr.fn, kernel.ptr.scratch, local
                inner[n].i, inner[n].f = self._ints(i), self._floats(f)
                inner[n].n_i, inner[n].n_f = <int32_t>len(i), <int32_t>len(f)
            part[k].inner, part[k].n_inner = inner, <int32_t>len(calls)
        b.parts, b.n_parts, b.tasks, b.most = part, <int32_t>len(parts), tasks, most
        b.temporaries = (scratch + 63) & ~<size_t>63
        b.scratch = (b.temporaries + kr_blocks_scratch(b) + 63) & ~<size_t>63
        return b

    def run(self, list buffers, host=None, int64_t batches=1, int64_t batch_rows=0, tuple feeds=(), rows=None,
            log=None, times=None, commit=(), bytes made=None):
        """Runs the steps for one batch or several.

        Args:
            buffers: the arrays of slots 1, 2, ..., C-contiguous, of the sizes that the plan has.
            host: function (step, input arrays) -> output arrays, for host kernels.
            batches, batch_rows: how many batches of how many rows the feeds bring.
            feeds: (slot, array) of inputs that are copied from an array's rows before each batch.
            rows: int64 array of batches * batch_rows row numbers (checked); None: rows in order from the first, which
                are read where they lie.
            log: float64 array (batches, taps) that receives the taps.
            times: int64 array of n_steps + 1 that receives clock readings in ns (of the last batch).
            commit: (variable, tensor after an odd number of finished batches, tensor after an even one) of what the
                variables hold when the run ends, also by an error. No Python code runs in between, so a signal
                finds either all of them or none.
            made: of each of the first steps that are kept, whether its results are in the buffers already.

        Raises:
            StepFailed: an index in the data is out of range.
            Exception: what a host kernel has raised. The `batches_done` of either says how many were finished.
        """
        cdef kr_run r
        cdef cnp.ndarray x
        cdef int k, n = self.n_buffers
        cdef kr_status status
        cdef _Host h = None
        cdef void *arena = NULL
        cdef kr_feed *feed
        memset(&r, 0, sizeof(r))
        if len(buffers) != n:
            raise ValueError(f"a run brings {n} buffers. Received: {len(buffers)}")
        cdef size_t table = self.p.n_arrays * sizeof(kr_array), slots = (n + 1) * sizeof(void *), scratch, ahead
        cdef char *own = <char *>malloc(table + slots + len(feeds) * sizeof(kr_feed))
        if own == NULL:
            raise MemoryError()
        try:
            r.arrays = <kr_array *>own
            r.slots = <char **>(own + table)
            feed = <kr_feed *>(own + table + slots)
            memcpy(r.arrays, self.p.arrays, table)
            for k in range(n):
                x = buffers[k]
                r.slots[k + 1] = <char *>cnp.PyArray_DATA(x)
            for k in range(<int>len(feeds)):
                feed[k].slot, x = feeds[k]
                feed[k].source = <char *>cnp.PyArray_DATA(x)
                feed[k].row_bytes = cnp.PyArray_NBYTES(x) // x.shape[0] if x.shape[0] else 0
            r.feeds, r.n_feeds = feed, <int32_t>len(feeds)
            r.batches, r.batch_rows = batches, batch_rows
            if rows is not None:
                x = rows
                r.rows = <const int64_t *>cnp.PyArray_DATA(x)
            if log is not None:
                x = log
                r.log, r.taps, r.n_taps = <double *>cnp.PyArray_DATA(x), self.taps, self.n_taps
            if times is not None:
                x = times
                r.times = <int64_t *>cnp.PyArray_DATA(x)
            if made is not None:
                if len(made) != self.n_kept:
                    raise ValueError(f"the program keeps {self.n_kept} steps. Received: {len(made)}")
                r.made = made
            r.swaps, r.n_swaps = self.swaps, self.n_swaps
            r.threads = kr_num_threads()
            if host is not None:
                h = _Host.__new__(_Host)
                h.run = host
                h.program = &self.p
                r.host, r.user = _run_host_step, <void *>h
            scratch = (kr_program_scratch(&self.p, r.threads) + 63) & ~<size_t>63
            ahead = kr_program_ahead(&r)
            arena = kr_alloc(self.arena + 64 + scratch + ahead)
            if arena == NULL:
                raise MemoryError(f"cannot allocate the {self.arena} bytes of the step's arena")
            r.slots[0] = <char *>arena
            r.scratch = <char *>arena + ((self.arena + 63) & ~<int64_t>63)
            if ahead:
                r.ahead = <char *>r.scratch + scratch
            with nogil:
                status = kr_program_run(&self.p, &r)
            if r.done > 0:
                for variable, odd, even in commit:
                    variable._held = odd if r.done & 1 else even
        finally:
            kr_free(arena)
            free(own)
        if status == KR_OK:
            return
        if h is not None and h.error is not None:
            h.error.batches_done = r.done
            raise h.error
        if status == KR_EINDEX:
            e = IndexOutOfRange(r.failure.error.input, r.failure.error.position, r.failure.error.value,
                                r.failure.error.limit)
            raise StepFailed(r.failure.step, r.failure.part, r.failure.inner, e, r.done)
        raise RuntimeError(f"step {r.failure.step} of a program refused its arguments (status {<int>status})")
