package import Diagnostics

/// Where a value is in its file.
package struct YAMLPlace: Sendable, Hashable {
    /// The key, of an entry of a mapping.
    package let key: SourceLocation?
    package let value: SourceLocation
}

extension YAMLValue {
    /// The places of all values below this one, by their paths (`repositories[0].url`). What cannot be read has none.
    package func places() -> [String: YAMLPlace] {
        var places: [String: YAMLPlace] = [:]
        gather(into: &places)
        return places
    }

    private func gather(into places: inout [String: YAMLPlace]) {
        for (key, value) in (try? entries()) ?? [] {
            places[value.path] = YAMLPlace(key: keyValue(key).location, value: value.location)
            value.gather(into: &places)
        }
        for value in (try? items()) ?? [] {
            places[value.path] = YAMLPlace(key: nil, value: value.location)
            value.gather(into: &places)
        }
    }
}
