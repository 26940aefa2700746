import TestSupport
import Testing
import YAML

@Suite(.tags(.unit))
struct RangeTests {
    @Test func smoke() throws {
        let documents = try YAMLStream.parse(Array("a: b\n".utf8))
        #expect(documents.count == 1)
    }
}
