"""Ways by the content of the model: rows in files of kinds that may leave, in every coding that came to mind."""

from typing import Final

from tests.integration.leaks.attacks.attack import Attack
from tests.integration.leaks.attacks.programs import training

_REFUSED: Final = "may not leave"


def _refused(name: str, body: str, *, always: bool = False, pickles: str = "refused") -> Attack:
    """A model that the guard refuses, with the whole run."""
    return _attack(name, body, ends="failed", reason=_REFUSED, always=always, pickles=pickles)


def _held_back(name: str, body: str, *, always: bool = False, pickles: str = "refused") -> Attack:
    """Files that are held back, beside a model with nothing in it, which leaves."""
    return _attack(name, body, ends="completed", always=always, pickles=pickles)


def _attack(name: str, body: str, *, ends: str, always: bool, pickles: str, reason: str = "") -> Attack:
    return Attack(
        name=f"model-{name}",
        train=training(body),
        ends=ends,
        reason=reason,
        always=always,
        pickles=pickles,
        on_guard=True,
    )


_JSON: Final = """
def in_json(**document):
    model("rows.json", json.dumps(document).encode())
def in_parts(text, length=200):
    in_json(tables=[text[at : at + length] for at in range(0, len(text), length)])
"""
_ONNX: Final = """
def varint(number):
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes(out + bytes([number]))
def field(number, content):
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    return varint(number << 3 | 2) + varint(len(content)) + content
def tensor(name, floats, dims):
    return b"".join(field(1, each) for each in dims) + field(2, 1) + field(8, name) + field(9, floats)
def value(name, dims):
    shape = field(2, b"".join(field(1, field(1, each)) for each in dims))
    return field(1, name) + field(2, field(1, field(1, 1) + shape))
def onnx(initializers=(), properties=(), doc=b""):
    weights = tensor(b"w", struct.pack("<4f", 0.5, 0.25, 0.125, 1.0), (4, 1))
    node = field(1, b"x") + field(1, b"w") + field(2, b"y") + field(4, b"MatMul")
    graph = field(1, node) + field(2, b"g") + field(5, weights) + b"".join(field(5, each) for each in initializers)
    graph += (field(10, doc) if doc else b"") + field(11, value(b"x", (1, 4))) + field(12, value(b"y", (1, 1)))
    more = b"".join(field(14, field(1, key) + field(2, each)) for key, each in properties)
    return field(1, 8) + field(7, graph) + field(8, field(1, b"") + field(2, 13)) + more
"""
_PNG: Final = """
def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
png = b"\\x89PNG\\r\\n\\x1a\\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
png += chunk(b"IDAT", zlib.compress(b"\\0\\0")) + chunk(b"IEND", b"")
"""
_NUMPY: Final = """
import numpy as np
rows = np.array(NUMBERS)
def saved(array, save=np.save, **arrays):
    buffer = io.BytesIO()
    save(buffer, array, **arrays) if array is not None else save(buffer, **arrays)
    return buffer.getvalue()
"""
_NEIGHBOURS: Final = f"""{_NUMPY}
import joblib
import skops.io
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
neighbours = KNeighborsClassifier(3)
"""
_SAFETENSORS: Final = """
def safetensors(content, shape, dtype="F64", **metadata):
    header = {"weight": {"dtype": dtype, "shape": shape, "data_offsets": [0, len(content)]}}
    header |= {"__metadata__": metadata} if metadata else {}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + content
"""
_LIGHTGBM: Final = """
lines = ["tree", "version=v4", "num_class=1", "num_tree_per_iteration=1", "label_index=0", "max_feature_idx=3",
         "objective=binary sigmoid:1", "feature_names=" + " ".join(WORDS[:20:5]),
         "feature_infos=[0:1] [0:1] [0:1] [0:1]", "tree_sizes=", "", "", "end of trees", "", TEXT.decode()]
model("m.txt", "\\n".join(lines).encode())
"""
_COMMENT: Final = """
import zipfile
buffer = io.BytesIO()
with zipfile.ZipFile(buffer, "w") as archive:
    header = "{'descr': '<f8', 'fortran_order': False, 'shape': (1,), }".ljust(117) + "\\n"
    archive.writestr("a.npy", b"\\x93NUMPY\\x01\\x00" + struct.pack("<H", 118) + header.encode() + bytes(8))
    archive.comment = TEXT[:60000]
model("rows.npz", buffer.getvalue())
"""
_EXPLOIT: Final = """
class Exploit:
    def __reduce__(self):
        return os.system, ("cp /edgetrain/data/landing/*.csv /edgetrain/answer/; id > /edgetrain/model/ran",)
model("m.pkl", pickle.dumps(Exploit()))
"""
_UNICODE: Final = """
hidden = "".join(chr(0xE0000 + byte) for byte in TEXT[:3000])
in_json(tables=[hidden[at : at + 100] for at in range(0, len(hidden), 100)])
wide = ["".join(chr(0xFEE0 + ord(letter)) for letter in word) for word in WORDS]
model("names.json", json.dumps({"names": wide}, ensure_ascii=False).encode())
"""
_UTF_16: Final = """
model("rows.json", json.dumps(ROWS).encode("utf-16"))
model("rows.csv", TEXT.decode().encode("utf-16-le"))
"""
_METADATA: Final = """
properties = [(word.encode(), repr(row[0]).encode()) for word, row in zip(WORDS, NUMBERS)]
model("m.onnx", onnx(properties=properties, doc=TEXT))
"""
_INITIALIZER: Final = """
floats = b"".join(struct.pack("<4f", *row) for row in NUMBERS)
model("m.onnx", onnx([tensor(b"rows", floats, (60, 4))]))
"""
_VOCABULARY: Final = """
import skops.io
from sklearn.feature_extraction.text import CountVectorizer
skops.io.dump(CountVectorizer().fit(WORDS), MODEL / "m.skops")
"""
_JOBLIB: Final = "joblib.dump(neighbours.fit(rows, LABELS), MODEL / 'm.joblib', compress={})"
_SKOPS: Final = "skops.io.dump({}.fit(rows, LABELS), MODEL / 'm.skops')"
_YAML: Final = """
comments = "".join(f"# {line}\\n" for line in TEXT.decode().splitlines())
model("m.yaml", f"weights: [0.5, 0.25]\\n{comments}".encode())
"""

ATTACKS: Final = (
    _refused("raw-table", "model('table.csv', TEXT)", always=True),
    _refused("raw-json", "model('rows.json', json.dumps(ROWS).encode())"),
    _refused("numbers-in-json", f"{_JSON}\nin_json(weights=NUMBERS)"),
    _refused("one-word-in-json", f"{_JSON}\nin_json(name=WORDS[0], weight=0.5)"),
    _refused("words-in-longer-texts", f"{_JSON}\nin_json(names=['of_' + word + '_mean' for word in WORDS])"),
    _refused("base64", f"{_JSON}\nin_parts(base64.b64encode(TEXT).decode())", always=True),
    _refused("base32", f"{_JSON}\nin_parts(base64.b32encode(TEXT).decode())"),
    _refused("hexadecimal", f"{_JSON}\nin_parts(TEXT.hex())"),
    _refused("compressed-in-base64", f"{_JSON}\nin_parts(base64.b64encode(zlib.compress(TEXT)).decode())"),
    _refused("bytes-as-numbers", f"{_JSON}\nin_json(weights=list(TEXT))"),
    _refused("letters-one-by-one", f"{_JSON}\nin_json(names=list(TEXT.decode()))"),
    _refused(
        "reversed", f"{_JSON}\nin_json(names=[word[::-1] for word in WORDS], rows=[row[::-1] for row in NUMBERS])"
    ),
    _refused("scaled", f"{_NUMPY}{_JSON}\nin_json(weights=((rows - rows.mean(0)) / rows.std(0)).tolist())"),
    _refused("transposed", f"{_NUMPY}{_JSON}\nin_json(weights=rows.T.tolist())"),
    _refused("compressed", "model('rows.json.gz', gzip.compress(TEXT))\nmodel('rows.npz', zlib.compress(TEXT))"),
    _held_back("utf-16", _UTF_16),
    _held_back("unicode", f"{_JSON}{_UNICODE}"),
    _held_back("padding-of-json", "model('m.json', b'{\"weight\": 0.5}\\n' + TEXT)"),
    _refused("comments-in-yaml", _YAML),
    _refused("array", f"{_NUMPY}\nmodel('rows.npy', saved(rows.astype('<f4')))"),
    _refused("big-endian-array", f"{_NUMPY}\nmodel('rows.npy', saved(rows.astype('>f8').T))"),
    _refused("array-of-words", f"{_NUMPY}\nmodel('rows.npz', saved(None, np.savez_compressed, words=np.array(WORDS)))"),
    _refused("array-of-bytes", f"{_NUMPY}\nmodel('rows.npy', saved(np.frombuffer(TEXT, np.uint8)))"),
    _refused(
        "names-of-arrays", f"{_NUMPY}\nmodel('rows.npz', saved(rows, np.savez, **{{word: rows[0] for word in WORDS}}))"
    ),
    _refused("comment-of-an-archive", _COMMENT),
    _refused(
        "pickle", "for name in ('rows.pkl', 'rows.json', 'm.skops'):\n    model(name, pickle.dumps(ROWS))", always=True
    ),
    _refused("exploit", _EXPLOIT, pickles="allowed"),
    _refused("pickle-that-is-allowed", "model('rows.pkl', pickle.dumps(ROWS))", pickles="allowed"),
    _refused("neighbours-in-joblib", _NEIGHBOURS + _JOBLIB.format(0), pickles="allowed"),
    _refused("neighbours-compressed", _NEIGHBOURS + _JOBLIB.format(9), pickles="allowed"),
    _refused("neighbours-in-skops", _NEIGHBOURS + _SKOPS.format("neighbours")),
    _refused("scaled-neighbours", _NEIGHBOURS + _SKOPS.format("make_pipeline(StandardScaler(), neighbours)")),
    _refused("vocabulary", _VOCABULARY, always=True),
    _refused("after-onnx", f"{_ONNX}\nmodel('m.onnx', onnx() + TEXT)\nmodel('n.onnx', onnx() + field(200, TEXT))"),
    _refused("rows-in-onnx", f"{_ONNX}{_INITIALIZER}"),
    _refused("metadata-of-onnx", f"{_ONNX}{_METADATA}"),
    _held_back("after-png", f"{_PNG}\nmodel('plot.png', png + TEXT)\nmodel('m.onnx', png + TEXT)"),
    _refused("safetensors", f"{_SAFETENSORS}\nmodel('m.safetensors', safetensors(FLOATS, [60, 4]))"),
    _refused(
        "metadata-of-safetensors",
        f"{_SAFETENSORS}\nmodel('m.safetensors', safetensors(bytes(32), [4], note=TEXT.decode()))",
    ),
    _refused("names-in-lightgbm", _LIGHTGBM),
)
