"""Primitives of JAX by what a rule needs to know of them."""


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Each output value is one input value or a constant, or a sum over copies of inputs.
REARRANGING = _names(
    "reshape transpose squeeze expand_dims broadcast_in_dim slice rev concatenate pad stack split "
    "gather dynamic_slice dynamic_update_slice copy copy_p optimization_barrier tile reshard "
    "sharding_constraint layout_constraint device_put pvary name reduce_precision"
)

# Linear in the operands at these places, where all others are constants.
LINEAR_IN: dict[str, tuple[int, ...] | None] = {  # None: in all operands together
    **dict.fromkeys(REARRANGING, None),
    **dict.fromkeys(["gather", "dynamic_slice"], (0,)),
    "dynamic_update_slice": (0, 1),
    "select_n": tuple(range(1, 100)),
    **dict.fromkeys(_names("neg add sub add_any"), None),
    **dict.fromkeys(_names("reduce_sum cumsum reduce_window_sum"), None),
    **dict.fromkeys(["scatter", "scatter-add"], (0, 2)),
    "div": (0,),
}
ADDITIVE = frozenset(["add", "sub", "add_any", "neg"])

# Linear in each operand, and in one where the others are constants.
BILINEAR = frozenset(["mul", "dot_general", "conv_general_dilated"])

MAXIMA = _names("max reduce_max reduce_window_max cummax")
MINIMA = _names("min reduce_min reduce_window_min cummin")

# Primitives that call a program, and those that have a derivative of their own.
CALLS = _names("jit pjit closed_call core_call remat remat2 checkpoint")
CUSTOM = _names("custom_jvp_call custom_vjp_call custom_vjp_call_jaxpr")

# Functions of the values at one place.
ELEMENTWISE = _names(
    "abs acos acosh add add_any and asin asinh atan atan2 atanh bessel_i0e bessel_i1e "
    "bitcast_convert_type cbrt ceil clamp convert_element_type copy cos cosh digamma div eq erf "
    "erf_inv erfc exp exp2 expm1 floor ge gt integer_pow is_finite le lgamma log log1p logistic lt "
    "max min mul ne neg nextafter not or pow reduce_precision rem round rsqrt select_n sign sin "
    "sinh sqrt square sub tan tanh xor"
)
