"""Serialised `tf.train.Example` messages, parsed without TensorFlow."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from salix.optional import import_extra

FeatureValues = Sequence[bytes] | Sequence[int] | Sequence[float]
_LISTS = (("bytes_list", "TYPE_BYTES"), ("float_list", "TYPE_FLOAT"), ("int64_list", "TYPE_INT64"))


def parse_example(record: bytes) -> Mapping[str, FeatureValues]:
    """Return the features of an example by name; raises `ValueError` for other bytes."""
    message = example_class()()
    try:
        message.ParseFromString(record)
    except Exception as error:  # a DecodeError, whose module depends on the implementation
        raise ValueError(f"it is no tf.train.Example: {str(error)[:100]}") from None
    features = {}
    for entry in message.features.feature:
        kind = entry.value.WhichOneof("kind")
        values = getattr(entry.value, kind).value if kind else ()
        features[entry.key.decode("utf-8", "backslashreplace")] = values
    return features


@cache
def example_class() -> Any:
    """Return the class of the message, made of its description; wire types are TensorFlow's.

    `Features.feature` is a map there, which is the same on the wire as repeated entries.
    """
    descriptor = import_extra("google.protobuf.descriptor_pb2", "protobuf", "array-record")
    pool = import_extra("google.protobuf.descriptor_pool", "protobuf", "array-record")
    factory = import_extra("google.protobuf.message_factory", "protobuf", "array-record")
    field = descriptor.FieldDescriptorProto
    file = descriptor.FileDescriptorProto(name="salix/tf_example.proto", package="salix.tf")
    optional, repeated = field.LABEL_OPTIONAL, field.LABEL_REPEATED

    def message(name: str, *fields: tuple[Any, ...]) -> Any:
        added = file.message_type.add(name=name)
        for number, (label, field_name, kind) in enumerate(fields, 1):
            parts: dict[str, Any] = {"name": field_name, "number": number, "label": label}
            if kind.startswith("TYPE_"):
                parts["type"] = getattr(field, kind)
            else:
                parts |= {"type": field.TYPE_MESSAGE, "type_name": f".salix.tf.{kind}"}
            added.field.add(**parts)
        return added

    for name, kind in _LISTS:
        message(name.title().replace("_", ""), (repeated, "value", kind))
    feature = message("Feature", *((optional, n, n.title().replace("_", "")) for n, _ in _LISTS))
    feature.oneof_decl.add(name="kind")
    for part in feature.field:
        part.oneof_index = 0
    message("Entry", (optional, "key", "TYPE_BYTES"), (optional, "value", "Feature"))
    message("Features", (repeated, "feature", "Entry"))
    message("Example", (optional, "features", "Features"))
    pool = pool.DescriptorPool()
    pool.Add(file)
    return factory.GetMessageClass(pool.FindMessageTypeByName("salix.tf.Example"))
