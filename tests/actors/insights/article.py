"""An article with one of everything, for the tests of the insights."""

ARTICLE = """# Faster JSON in Python

The team rewrote the parser, and it now decodes **42% faster** than before, down from 120 ms to 70 ms. "We did not \
expect that a table lookup would beat the branch predictor," said Jane Doe, who led the work.

## Breaking changes

The `strict` parameter of `loads()` is removed. Callers must now pass `mode="strict"`.

Before the change a caller wrote:

```python
json.loads(x, strict=True)
json.loads(y, strict=True)
```

With the new release it becomes:

```python
json.loads(x, mode="strict")
json.loads(y, mode="strict")
```

## How to use it

You should upgrade to 3.14.1 before the end of May. Most of the work went into error messages, because a parser that \
says where it failed saves an hour of search. Storage of the lookup table costs little, and nobody noticed it in use.

Here is how a server uses it:

```python
import json
def handler(req):
    return json.loads(req.body)
```
"""
