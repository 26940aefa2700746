import Diagnostics
import TestSupport
import Testing
import YAML

/// Reading a file beyond its first mistake.
@Suite(.tags(.unit)) struct PlacesTests {
    private static let text = """
        name: a
        items:
          - {x: 1, y: 2}
          - x: 3
        name: b

        """

    private func document(_ text: String, ignoring ignored: Set<String> = []) throws -> YAMLValue {
        try #require(try YAMLValue.document(Array(text.utf8), file: "f", ignoring: ignored))
    }

    @Test func `every value has its place, and its key's`() throws {
        let places = try document("items:\n  - {x: 1, 'a b': 2}\n  - deep: [3]\n").places()
        let told = places.mapValues { place in
            "\(place.key.map { "\($0.line):\($0.column)" } ?? "-") \(place.value.line):\(place.value.column)"
        }
        #expect(
            told == [
                "items": "1:1 2:3", "items[0]": "- 2:5", "items[0].x": "2:6 2:9", "items[0].\"a b\"": "2:12 2:19",
                "items[1]": "- 3:5", "items[1].deep": "3:5 3:11", "items[1].deep[0]": "- 3:12",
            ])
    }

    @Test(
        arguments: [
            (Set<String>(), nil), (["name"], ["items"]), (["name", "items"], []),
        ] as [(Set<String>, [String]?)])
    func `what is ignored is as if it were not there`(_ ignored: Set<String>, _ keys: [String]?) throws {
        let document = try document(Self.text, ignoring: ignored)
        guard let keys else {
            let error = #expect(throws: YAMLError.self) { try document.entries() }
            #expect(error?.path == "name")
            return
        }
        #expect(try document.entries().map(\.key) == keys)
    }

    @Test func `items keep their numbers`() throws {
        let items = try document("- a\n- b\n- c\n", ignoring: ["[1]"]).items()
        #expect(items.map(\.path) == ["[0]", "[2]"])
    }
}
