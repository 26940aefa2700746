import Cluster
import JSON
import TestSupport
import Testing
import YAML

/// The table is what `kubectl create --dry-run=client -o json` makes of the same texts.
@Suite(.tags(.unit)) struct YAMLConversionTests {
    @Test(arguments: [
        ("a: 1", #"{"a":1}"#), ("a: 0x1F", #"{"a":31}"#), ("a: 010", #"{"a":8}"#), ("a: 1_000", #"{"a":1000}"#),
        ("a: -7", #"{"a":-7}"#), ("a: 1.50", #"{"a":1.5}"#), ("a: \"1\"", #"{"a":"1"}"#), ("a: yes", #"{"a":true}"#),
        ("a: Off", #"{"a":false}"#), ("a: ~", #"{"a":null}"#), ("a:", #"{"a":null}"#), ("a: null", #"{"a":null}"#),
        ("a: 2024-05-01", #"{"a":"2024-05-01"}"#), ("a: 1:30", #"{"a":"1:30"}"#), ("a: 'true'", #"{"a":"true"}"#),
        ("a: !!str 1", #"{"a":"1"}"#), ("a: |\n  x\n  y\n", #"{"a":"x\ny\n"}"#),
        ("a: [1, b, {c: d}]", #"{"a":[1,"b",{"c":"d"}]}"#),
        ("a: &x {b: 1}\nc: *x\nd: {<<: *x, e: 2}", #"{"a":{"b":1},"c":{"b":1},"d":{"b":1,"e":2}}"#),
        ("1: a", #"{"1":"a"}"#), ("a: \"\\u0001\\\\\\\"\"", #"{"a":"\u0001\\\""}"#), ("a: 500m", #"{"a":"500m"}"#),
        ("a: 1e3", #"{"a":1000.0}"#), ("a: .inf", #"{"a":".inf"}"#), ("a: v1.10", #"{"a":"v1.10"}"#),
    ])
    func `a document as JSON`(_ yaml: String, _ json: String) throws {
        let node = try #require(try YAMLStream.parse(Array(yaml.utf8)).first?.root)
        let value = try #require(JSONValue(node))
        #expect(String(decoding: value.encoded, as: UTF8.self) == json)
        #expect(try JSONReader.read(value.encoded) == value)
    }

    @Test func `aliases count as what they stand for`() throws {
        var text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
        for level in 1...4 {
            text += "a\(level): &a\(level) [\((0..<10).map { _ in "*a\(level - 1)" }.joined(separator: ", "))]\n"
        }
        let node = try #require(try YAMLStream.parse(Array(text.utf8)).first?.root)
        #expect(JSONValue(node, limit: 10_000) == nil)
        #expect(JSONValue(node) != nil)
    }
}
