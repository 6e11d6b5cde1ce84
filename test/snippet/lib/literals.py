# Reads one JSON line {"code": ...} after the other, parses the code and answers the values of payload and args in run(), without running anything.
import ast
import json
import math
import sys
import warnings

# A dubious escape or literal is an error, not a warning.
warnings.simplefilter("error")


def evaluate(node):
    # json.loads("..."), which the writer uses where the literal would be nested too deep
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "json.loads":
        return json.loads(ast.literal_eval(node.args[0]))
    if isinstance(node, ast.Dict):
        return {evaluate(name): evaluate(value) for name, value in zip(node.keys, node.values)}
    if isinstance(node, ast.List):
        return [evaluate(item) for item in node.elts]
    return ast.literal_eval(node)


def has_call(node):
    return any(isinstance(inner, ast.Call) for inner in ast.walk(node))


# Objects as ["members", [name, value], ...] and lists as ["items", ...]: Node's JSON.parse can confuse escaped member names (V8 issue 521080746).
def plain(value):
    if isinstance(value, float) and math.isinf(value):
        return ["infinity", value > 0]
    if isinstance(value, dict):
        return ["members", *([name, plain(item)] for name, item in value.items())]
    if isinstance(value, list):
        return ["items", *map(plain, value)]
    return value


def digits_limit(limit):
    # Absent before Python 3.11 and its backports, which have no limit either.
    if hasattr(sys, "set_int_max_str_digits"):
        sys.set_int_max_str_digits(limit)


def answer(code):
    tree = ast.parse(code)
    compile(tree, "snippet.py", "exec")
    run = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "run")
    values = {}
    for node in run.body:
        if isinstance(node, ast.Assign) and node.targets[0].id in ("payload", "args"):
            # The same value must come from literal_eval alone wherever there is no call in it.
            values[node.targets[0].id] = (evaluate if has_call(node.value) else ast.literal_eval)(node.value)
    result = next(node for node in run.body if isinstance(node, ast.Assign) and node.targets[0].id == "result")
    return {
        "payload": plain(values["payload"]),
        "args": plain(values["args"]),
        "call": ast.unparse(result.value),
        "statements": [type(node).__name__ for node in tree.body],
    }


digits_limit(4300)
for line in sys.stdin:
    found = answer(json.loads(line)["code"])
    digits_limit(0)
    sys.stdout.write(json.dumps(found, ensure_ascii=True, allow_nan=False) + "\n")
    digits_limit(4300)
