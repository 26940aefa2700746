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
                    container: found.container,
                    image: WrittenReference(found.node.isNull ? "" : Self.trimmed(found.node.text ?? "")),
                    field: marker.field,
                    valueRange: found.node.range, location: location(of: found.node), policy: nil,
                    source: .flux2Marker(namespace: marker.namespace, name: marker.name),
                    held: .imagePolicy(namespace: marker.namespace, name: marker.name)))
        }
    }

    /// The marked values of a document, in its order.
    mutating func markers(in root: YAMLNode) -> [FoundMarker] {
        var found: [(node: YAMLNode, marker: Marker, container: String)] = []
        let places = markerPlaces()
        // A mapping may hold very many markers: its name is looked up once.
        var named: (parent: YAMLNode, name: String)?
        root.visit(where: { Self.mayConcern($0, places) }) { node, parent, isItem in
            // A null that is written (`~`) is a value to be filled.
            guard !node.isAlias, let style = node.style, !node.isNull || !node.range.isEmpty else { return }
            if style != .plain { longTexts.append(node.range) }
            var comment = Self.lineComment(after: node, style: style, in: bytes)
            if comment == nil, isItem { comment = Self.headComment(before: node, in: bytes) }
            guard let comment, let marker = Marker(comment: bytes[comment]) else { return }
            usedMarkers.insert(comment.lowerBound)
            let name = named.flatMap { $0.parent == parent ? $0.name : nil } ?? parent["name"]?.text ?? ""
            named = (parent, name)
            found.append((node, marker, name))
        }
        if found.isEmpty { return [] }
        let manifests = Manifest.all(in: root).map { (range: $0.node.range, manifest: $0) }
            .sorted { $0.range.lowerBound < $1.range.lowerBound }
        var identified: (place: Int, id: WorkloadID?)?
        return found.map { element in
            let range = element.node.range
            let place = Self.last(of: manifests.count) { manifests[$0].range.lowerBound <= range.lowerBound }
            var object: WorkloadID?
            if let place, range.upperBound <= manifests[place].range.upperBound {
                if identified?.place != place { identified = (place, manifests[place].manifest.idIfNamed) }
                object = identified?.id
            }
            return FoundMarker(
                node: element.node, marker: element.marker, object: object, container: element.container)
        }
    }

    /// The last of `count` ascending places for which a condition holds that holds for all before it.
    private static func last(of count: Int, where holds: (Int) -> Bool) -> Int? {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if holds(middle) { low = middle + 1 } else { high = middle }
        }
        return low == 0 ? nil : low - 1
    }

    /// The lines with the word, each with the line behind it: what a marker there can decide about touches them.
    private mutating func markerPlaces() -> [Range<Int>] {
        if let markerLines { return markerLines }
        var found: [Range<Int>] = []
        var line = 0..<0
        for offset in ManifestScan.places(of: Self.markerWord, in: bytes) where offset >= line.upperBound {
            line = LineIndex.line(around: offset, in: bytes)
            var next = line.upperBound
            if next < bytes.count { next += bytes[next...].starts(with: [0x0D, 0x0A]) ? 2 : 1 }
            found.append(line.lowerBound..<LineIndex.line(around: next, in: bytes).upperBound)
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

    /// The lines that speak of an image policy in a comment and hold no marker, with the reason. To be asked after
    /// `markers(in:)`.
    func idleMarkers() -> [(offset: Int, reason: String)] {
        let used = usedMarkers.sorted()
        var idle: [(offset: Int, reason: String)] = []
        var line = 0..<0
        var looked = 0
        var sign: Int?
        for offset in ManifestScan.places(of: Self.markerWord, in: bytes) {
            if offset >= line.upperBound {
                line = LineIndex.line(around: offset, in: bytes)
                (looked, sign) = (line.lowerBound, nil)
            }
            // What stands behind the first word in a comment belongs to the comment.
            if sign != nil { continue }
            sign = bytes[looked..<offset].lastIndex(of: UInt8(ascii: "#"))
            looked = offset
            guard let sign else { continue }
            // Signs may stand side by side: the comment starts at the first of them.
            let before = Self.last(of: used.count) { used[$0] <= sign }
            if let before, used[before] >= line.lowerBound { continue }
            idle.append((sign, whyIdle(sign, in: line)))
        }
        return idle
    }

    /// What is wrong with a marker that does nothing.
    private func whyIdle(_ sign: Int, in line: Range<Int>) -> String {
        let text = Self.last(of: longTexts.count) { longTexts[$0].lowerBound < line.lowerBound }
        if let text, longTexts[text].contains(sign) {
            return "it stands in a text over several lines, and there are no comments in such a text"
        }
        let comment = bytes[sign..<line.upperBound]
        if let problem = Marker.problem(of: comment) { return problem }
        let isAlone = bytes[line.lowerBound..<sign].allSatisfy { $0 == 0x20 || $0 == 0x09 }
        return isAlone
            ? "it stands on a line of its own: a marker belongs behind its value, on the same line, or on the one line above "
                + "an item of a list"
            : "a marker belongs behind a text, on its line; here it stands behind or above something else"
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
