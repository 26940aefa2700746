import YAML

/// Flux v2's markers: a comment behind a value that names the image policy which decides it.
extension Scanner {
    /// A value with its marker, the object that it stands in, and the `name` beside it.
    struct FoundMarker {
        let node: YAMLNode
        let marker: Marker
        let object: WorkloadID?
        let container: String
    }

    mutating func scanMarkers(in root: YAMLNode, document: Int) {
        for found in markers(in: root) {
            let marker = found.marker
            add(
                ImageTarget(
                    file: file, documentIndex: document,
                    workload: found.object ?? WorkloadID(namespace: "default", kind: "", name: ""),
                    container: found.container, image: Self.trimmed(found.node.text ?? ""), field: marker.field,
                    valueRange: found.node.range, location: location(of: found.node), policy: nil,
                    source: .flux2Marker(namespace: marker.namespace, name: marker.name),
                    held: .imagePolicy(namespace: marker.namespace, name: marker.name)))
        }
    }

    /// The marked values of a document, in its order.
    mutating func markers(in root: YAMLNode) -> [FoundMarker] {
        var found: [(node: YAMLNode, marker: Marker, container: String)] = []
        let places = markerPlaces()
        root.visit(where: { Self.mayConcern($0, places) }) { node, parent, isItem in
            guard !node.isAlias, let style = node.style, !node.isNull else { return }
            var comment = Self.lineComment(after: node, style: style, in: bytes)
            if comment == nil, isItem { comment = Self.headComment(before: node, in: bytes) }
            guard let comment, let marker = Marker(comment: bytes[comment]) else { return }
            usedMarkers.insert(comment.lowerBound)
            found.append((node, marker, parent["name"]?.text ?? ""))
        }
        if found.isEmpty { return [] }
        let manifests = Manifest.all(in: root)
        return found.map { element in
            let manifest = manifests.first {
                $0.node.range.lowerBound <= element.node.range.lowerBound
                    && element.node.range.upperBound <= $0.node.range.upperBound
            }
            return FoundMarker(
                node: element.node, marker: element.marker, object: manifest?.idIfNamed, container: element.container)
        }
    }

    /// The lines with the word, each with the line behind it: what a marker there can decide about touches them.
    private mutating func markerPlaces() -> [Range<Int>] {
        if let markerLines { return markerLines }
        let found = ManifestScan.places(of: Self.markerWord, in: bytes).map { offset in
            let line = LineIndex.line(around: offset, in: bytes)
            var next = line.upperBound
            if next < bytes.count { next += bytes[next...].starts(with: [0x0D, 0x0A]) ? 2 : 1 }
            return line.lowerBound..<LineIndex.line(around: next, in: bytes).upperBound
        }
        markerLines = found
        return found
    }

    private static let markerWord = "\"$imagepolicy\""

    /// - Parameter places: sorted, as their ends are.
    private static func mayConcern(_ node: Range<Int>, _ places: [Range<Int>]) -> Bool {
        var (low, high) = (0, places.count)
        while low < high {
            let middle = (low + high) / 2
            if places[middle].upperBound < node.lowerBound { low = middle + 1 } else { high = middle }
        }
        return low < places.count && places[low].lowerBound <= node.upperBound
    }

    /// The places that speak of an image policy and were no marker, with the reason. To be asked after `markers(in:)`.
    func idleMarkers() -> [(offset: Int, reason: String)] {
        ManifestScan.places(of: Self.markerWord, in: bytes).compactMap { offset in
            let line = LineIndex.line(around: offset, in: bytes)
            var sign = offset
            while sign > line.lowerBound, bytes[sign] != UInt8(ascii: "#") { sign -= 1 }
            guard bytes[sign] == UInt8(ascii: "#") else { return nil }
            // Signs may stand side by side: the comment starts at the first of them.
            if usedMarkers.contains(where: { $0 <= sign && line.contains($0) && $0 <= offset }) { return nil }
            let isMarker = Marker(comment: bytes[sign..<line.upperBound]) != nil
            return (
                sign,
                isMarker
                    ? "a marker belongs behind a text, on its line; here it stands behind or above something else"
                    : "the comment has to be one JSON object like {\"$imagepolicy\": \"namespace:name:tag\"}, with nothing around it"
            )
        }
    }

    /// The comment on the value's line: behind the value, or behind a block scalar's header.
    private static func lineComment(after node: YAMLNode, style: YAMLScalarStyle, in bytes: [UInt8]) -> Range<Int>? {
        var index = style.isBlock ? node.range.lowerBound : node.range.upperBound
        if style.isBlock {
            while index < bytes.count, ![0x20, 0x09, 0x0A, 0x0D].contains(bytes[index]) { index += 1 }
        }
        let start = index
        func skipBlanks() { while index < bytes.count, bytes[index] == 0x20 || bytes[index] == 0x09 { index += 1 } }
        skipBlanks()
        if index < bytes.count, bytes[index] == UInt8(ascii: ",") {
            index += 1
            skipBlanks()
        }
        guard index > start, index < bytes.count, bytes[index] == UInt8(ascii: "#") else { return nil }
        return index..<LineIndex.line(around: index, in: bytes).upperBound
    }

    /// The comment lines right above a sequence's item, when they are one line.
    private static func headComment(before node: YAMLNode, in bytes: [UInt8]) -> Range<Int>? {
        let line = LineIndex.line(around: node.range.lowerBound, in: bytes)
        guard let above = comment(above: line, in: bytes), comment(above: above.line, in: bytes) == nil else {
            return nil
        }
        return above.text
    }

    private static func comment(above line: Range<Int>, in bytes: [UInt8]) -> (line: Range<Int>, text: Range<Int>)? {
        var end = line.lowerBound
        if end > 0, bytes[end - 1] == 0x0A { end -= 1 }
        if end > 0, end < line.lowerBound ? bytes[end - 1] == 0x0D : false { end -= 1 }
        guard end < line.lowerBound else { return nil }
        let above = LineIndex.line(around: end, in: bytes)
        guard let start = above.first(where: { bytes[$0] != 0x20 && bytes[$0] != 0x09 }), start < above.upperBound,
            bytes[start] == UInt8(ascii: "#")
        else { return nil }
        return (above, start..<above.upperBound)
    }
}
