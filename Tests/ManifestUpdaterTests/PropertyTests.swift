import ManifestUpdater
import TestSupport
import Testing
import YAML

/// Generated manifests in every formatting that the generator knows: an update gives exactly the text that the
/// generator writes with the new tag, and the reverse update gives the old bytes.
@Suite(.tags(.unit))
struct PropertyTests {
    @Test func updateAndReverse() throws {
        var generator = SplitMix(state: 42)
        for round in 0..<600 {
            var writer = ManifestWriter(random: generator)
            let old = writer.manifest(tag: "v1.0")
            var again = ManifestWriter(random: generator)
            let new = again.manifest(tag: "2.0.1-rc.1")
            generator = writer.random
            let scan = ManifestScan.scan(file: "f.yaml", bytes: old)
            #expect(scan.skipped == [])
            #expect(scan.targets.count == writer.images, "round \(round): \(String(decoding: old, as: UTF8.self))")
            let result = try ManifestUpdater.apply(edits(scan, "2.0.1-rc.1"), to: old, file: "f.yaml")
            guard result == new else {
                Issue.record(
                    "round \(round):\n\(String(decoding: result, as: UTF8.self))\nexpected:\n\(String(decoding: new, as: UTF8.self))"
                )
                return
            }
            let reverse = ManifestScan.scan(file: "f.yaml", bytes: result)
            #expect(try ManifestUpdater.apply(edits(reverse, "v1.0"), to: result, file: "f.yaml") == old)
        }
    }

    private func edits(_ scan: ScanResult, _ tag: String) -> [ManifestEdit] {
        scan.targets.filter { $0.held == nil }.map {
            ManifestEdit(target: $0, newImage: $0.image.with(tag: tag))
        }
    }
}

/// Writes the same manifest again for the same random numbers, whatever the tag.
private struct ManifestWriter {
    var random: SplitMix
    var images = 0
    private var text = ""

    init(random: SplitMix) { self.random = random }

    private mutating func one(of choices: [String]) -> String {
        choices[Int.random(in: 0..<choices.count, using: &random)]
    }

    private mutating func chance(_ denominator: Int) -> Bool { Int.random(in: 0..<denominator, using: &random) == 0 }

    mutating func manifest(tag: String) -> [UInt8] {
        let documents = Int.random(in: 1...3, using: &random)
        if chance(3) { text += "# Größe: 漢字 😀\n" }
        for index in 0..<documents {
            if index > 0 || chance(2) { text += one(of: ["---\n", "--- # next\n", "---   \n"]) }
            document(tag: tag)
            if chance(6) { text += "...\n" }
        }
        if chance(4), text.hasSuffix("\n") { text.removeLast() }
        var bytes = Array(text.utf8)
        if chance(3) { bytes = bytes.flatMap { $0 == 0x0A ? [0x0D, 0x0A] : [$0] } }
        return chance(4) ? [0xEF, 0xBB, 0xBF] + bytes : bytes
    }

    private mutating func noise(_ indent: String) {
        if chance(3) {
            text += one(of: ["\n", "\(indent)# image: acme/web:v1.0\n", "  \n", "\(indent)#\n", "# é 😀 «»\n", "\n\n"])
        }
    }

    private mutating func document(tag: String) {
        let unit = String(repeating: " ", count: Int.random(in: 1...4, using: &random))
        let deeper = chance(2) ? unit : ""
        text += "kind: \(one(of: ["Deployment", "StatefulSet", "DaemonSet", "Job"]))\n"
        noise("")
        text += "metadata:\n\(unit)name: \(one(of: ["a", "'b'", "\"größe\"", "|-\n\(unit)\(unit)c"]))\n"
        text +=
            "\(unit)annotations: \(one(of: ["{fluxcd.io/automated: \"true\"}", "{'flux.weave.works/automated': 'true'}", "{\"fluxcd.io/automated\": \"true\", x: \"😀\"}"]))"
        text += one(of: ["\n", " # yes\n", "   \n"])
        text += "spec:\n\(unit)template:\n\(unit)\(unit)spec:\n"
        let base = unit + unit + unit
        noise(base)
        text += "\(base)containers:\(one(of: ["", " ", " # all"]))\n"
        for index in 0..<Int.random(in: 1...3, using: &random) { container(index, base + deeper, tag: tag) }
    }

    private mutating func container(_ index: Int, _ indent: String, tag: String) {
        images += 1
        let name = one(of: [
            "nginx", "acme/web", "quay.io/acme/web", "localhost:5000/a/b_c", "registry.example.com:443/x-y/z",
        ])
        let image = "\(name):\(tag)"
        noise(indent)
        if chance(4) {
            let quote = one(of: ["", "'", "\""])
            text +=
                "\(indent)- {name: c\(index), image: \(quote)\(image)\(quote)\(one(of: ["}", " }", ", tty: true}", ",\n\(indent)   tty: true }"]))"
            text += one(of: ["\n", " # end\n", "  \n"])
            return
        }
        let gap = one(of: [" ", "  ", "    "])
        let inner = indent + " " + gap
        let value =
            switch Int.random(in: 0..<9, using: &random) {
            case 0: "'\(image)'"
            case 1: "\"\(image)\""
            case 2: "\"\\x\(String(image.utf8.first ?? 0, radix: 16))\(image.dropFirst())\""
            case 3: "|-\n\(inner)  \(image)"
            case 4: ">-  # folded\n\(inner) \(image)"
            case 5: "|\n\(inner)   \(image)"
            case 6: "&a\(images) \(image)"
            case 7: "\n\(inner)   \(image)"
            default: image
            }
        let isLine = !value.hasPrefix("|") && !value.hasPrefix(">")
        let imageLine =
            "image:\(value.hasPrefix("\n") ? "" : one(of: [" ", "   "]))\(value)\(isLine ? one(of: ["", " # c", "\t# tab", "  "]) : "")\n"
        if chance(2) {
            text += "\(indent)-\(gap)name: c\(index)\n\(inner)\(imageLine)"
        } else {
            text += "\(indent)-\(gap)\(imageLine)\(inner)name: c\(index)\n"
        }
        if chance(3) { text += "\(inner)args: [\"\(image)\", '漢']\n".replacing(tag, with: "fixed") }
    }
}
