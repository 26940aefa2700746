import Foundation
import TestSupport

/// An image's files as GNU tar lists its layers, laid over each other: who runs the test does not matter.
struct TarListing {
    /// By path: type, octal mode, owner, link target (`f 0644 0:0`, `l 0777 0:0 target`).
    private(set) var files: [String: String] = [:]

    mutating func add(layer path: String) throws {
        let text = try Shell.run(
            ["tar", "--numeric-owner", "--full-time", "-tvzf", path], environment: ["LC_ALL": "C"]
        ).stdout
        for line in text.split(separator: "\n") { add(String(line)) }
    }

    private mutating func add(_ line: String) {
        // mode owner/group size date time name[ -> target][ link to target]
        let fields = line.split(separator: " ", maxSplits: 5, omittingEmptySubsequences: true).map(String.init)
        guard fields.count == 6 else { return }
        var name = fields[5]
        var target = ""
        for separator in [" -> ", " link to "] {
            guard let range = name.range(of: separator) else { continue }
            target = String(name[range.upperBound...])
            name = String(name[..<range.lowerBound])
        }
        name = Self.clean(name)
        if name.isEmpty { return }
        let names = name.split(separator: "/").map(String.init)
        let last = names.last ?? ""
        let parent = names.dropLast().joined(separator: "/")
        if last == ".wh..wh..opq" { return remove(below: parent) }
        if last.hasPrefix(".wh.") {
            let gone = (names.dropLast() + [String(last.dropFirst(4))]).joined(separator: "/")
            files[gone] = nil
            return remove(below: gone)
        }
        let letter = fields[0].first.map(String.init) ?? "?"
        if letter == "h" {
            files[name] = files[Self.clean(target)]
            return
        }
        let type = letter == "-" ? "f" : letter
        if type != "d" { remove(below: name) }
        let mode = "0" + String(Self.mode(fields[0]), radix: 8)
        let owner = fields[1].replacingOccurrences(of: "/", with: ":")
        files[name] = "\(type) \(mode) \(owner)" + (type == "l" ? " \(target)" : "")
    }

    private mutating func remove(below path: String) {
        for name in files.keys where name.hasPrefix(path + "/") { files[name] = nil }
    }

    private static func clean(_ name: String) -> String {
        name.split(separator: "/").filter { $0 != "." }.joined(separator: "/")
    }

    private static func mode(_ text: String) -> Int {
        let letters = Array(text.dropFirst())
        var mode = 0
        for (index, letter) in letters.prefix(9).enumerated() {
            if "rwxst".contains(letter) { mode |= 1 << (8 - index) }
            if "sStT".contains(letter) { mode |= [0o4000, 0o2000, 0o1000][index / 3] }
        }
        return mode
    }
}
