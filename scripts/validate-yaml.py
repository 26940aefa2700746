"""Validates YAML on standard input; prints one line for each thing that is wrong.

    validate-yaml.py kubernetes        every document against the schema of its Kubernetes kind, strictly
    validate-yaml.py schema FILE       the document against a JSON Schema, which is checked itself
    validate-yaml.py json              prints the documents as a JSON list
"""

import json
import sys

import yaml


def documents():
    return [document for document in yaml.safe_load_all(sys.stdin) if document is not None]


def kubernetes():
    import kubernetes_validate

    version = kubernetes_validate.latest_version()
    for document in documents():
        name = "{kind}/{metadata[name]}".format(**document)
        try:
            kubernetes_validate.validate(document, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            path = ".".join(str(part) for part in error.path)
            print(f"{name}: {path}: {error.message}")
        except kubernetes_validate.SchemaNotFoundError:
            print(f"{name}: Kubernetes {version} has no such kind")


def schema(path):
    from jsonschema import Draft202012Validator

    with open(path, encoding="utf-8") as file:
        schema = json.load(file)
    Draft202012Validator.check_schema(schema)
    for document in documents():
        for error in Draft202012Validator(schema).iter_errors(document):
            print(f"{error.json_path}: {error.message}")


if sys.argv[1] == "kubernetes":
    kubernetes()
elif sys.argv[1] == "schema":
    schema(sys.argv[2])
else:
    print(json.dumps(documents(), default=str))
