import FoundationEssentials
import ManifestUpdater
import TestSupport
import Testing

/// Pairs of files under `Golden/<case>/`: `original.yaml`, `expected.yaml`, and where the update is not "every
/// automated image gets the tag v2" an `update.txt` of directives:
///
///     * => :TAG              every image that is not held gets the tag
///     image OLD => NEW       images that read OLD become NEW
///     only CONTAINER => NEW  only this container
///     marker NS:NAME => NEW  what the image policy chose
///     nothing                there is nothing to update
///     held: TEXT             an image is held, and its reason holds TEXT
///     skipped: TEXT          something is skipped, for this reason
///     refused: TEXT          the update is refused, for this reason
///     irreversible           the reverse update does not give the original bytes (quotes were added, say)
///     file: NAME             the file's name, where it matters
///
/// Other updates than by annotations and markers have directives of their own; "-" stands for what is not given:
///
///     kustomize-image: NAME NEWNAME NEWTAG DIGEST
///     helm-value: PATH=VALUE
///     workload: NAMESPACE:KIND/NAME CONTAINER IMAGE     with "force" on a line of its own: though it is locked
///     annotate: NAMESPACE:KIND/NAME POLICY=VALUE | -POLICY | tag-all PATTERN
///     argo: HOLDER helm NAME TAG | spec NAME | kustomize NAME, and the new IMAGE
struct GoldenCase: CustomTestStringConvertible {
    let name: String
    let original: [UInt8]
    let expected: [UInt8]
    var rules: [(selector: String, image: String)] = []
    var expectations: [(kind: String, text: String)] = []
    var isNothing = false
    var isReversible = true
    var isForced = false

    func directives(_ kind: String) -> [String] { expectations.filter { $0.kind == kind }.map(\.text) }

    var file: String { directives("file").first ?? "f.yaml" }

    /// Whether it is about a request rather than about annotations and markers.
    var isRequest: Bool {
        ["kustomize-image", "helm-value", "workload", "annotate", "argo"].contains { !directives($0).isEmpty }
    }

    var testDescription: String { name }

    static let directory = String(#filePath.dropLast("GoldenTests.swift".count)) + "Golden"

    static let all: [GoldenCase] = {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
        return names.sorted().map { GoldenCase(name: $0) }
    }()

    init(name: String) {
        self.name = name
        func read(_ file: String) -> [UInt8]? {
            FileManager.default.contents(atPath: "\(Self.directory)/\(name)/\(file)").map(Array.init)
        }
        original = read("original.yaml") ?? []
        expected = read("expected.yaml") ?? []
        for line in String(decoding: read("update.txt") ?? [], as: UTF8.self).split(separator: "\n") {
            if let arrow = line.firstRange(of: " => ") {
                rules.append((String(line[..<arrow.lowerBound]), String(line[arrow.upperBound...])))
            } else if let colon = line.firstRange(of: ": ") {
                expectations.append((String(line[..<colon.lowerBound]), String(line[colon.upperBound...])))
            } else if line == "nothing" {
                isNothing = true
            } else if line == "irreversible" {
                isReversible = false
            } else if line == "force" {
                isForced = true
            }
        }
        if rules.isEmpty && !isNothing && !isRequest { rules = [("*", ":v2")] }
    }

    /// The edits that the directives ask for.
    func edits(for targets: [ImageTarget]) -> [ManifestEdit] {
        targets.compactMap { target in
            for rule in rules {
                if case .flux2Marker(let namespace, let name) = target.source {
                    guard rule.selector == "marker \(namespace):\(name)" else { continue }
                    return ManifestEdit(target: target, newImage: WrittenReference(rule.image))
                }
                guard target.held == nil,
                    ["*", "image \(target.image)", "only \(target.container)"].contains(rule.selector)
                else { continue }
                let image =
                    rule.image.hasPrefix(":")
                    ? target.image.with(tag: String(rule.image.dropFirst())) : WrittenReference(rule.image)
                return ManifestEdit(target: target, newImage: image)
            }
            return nil
        }
    }
}

extension GoldenCase {
    /// Does what the request's directives ask for.
    func carriedOut(on bytes: [UInt8]) throws -> FileUpdate {
        func words(_ text: String) -> [String?] { text.split(separator: " ").map { $0 == "-" ? nil : String($0) } }
        var policies = PolicyUpdate()
        var workloads: Set<String> = []
        for text in directives("annotate") {
            let space = try #require(text.firstIndex(of: " "))
            workloads.insert(String(text[..<space]))
            let rest = text[text.index(after: space)...]
            if rest.hasPrefix("tag-all ") {
                policies.tagAll = String(rest.dropFirst("tag-all ".count))
            } else if rest.hasPrefix("-") {
                policies.remove.insert(String(rest.dropFirst()))
            } else {
                let equals = try #require(rest.firstIndex(of: "="))
                policies.add[String(rest[..<equals])] = String(rest[rest.index(after: equals)...])
            }
        }
        if !workloads.isEmpty {
            return ManifestUpdater.update(bytes, file: file, policies: policies, of: workloads)
        }
        let web = WorkloadID(namespace: "argocd", kind: "Application", name: "web")
        let places = directives("argo").map { text -> (ArgoPlace, WrittenReference) in
            let words = words(text)
            let holder: ArgoPlace.Holder =
                switch words[0] {
                case "application": .application(web, source: .single)
                case "overrides": .overrides
                case "kustomization": .kustomization
                default: .values
                }
            let form: ArgoPlace.Form =
                switch words[1] {
                case "helm": .helm(name: words[2], tag: words[3])
                case "spec": .helmSpec(words[2] ?? "")
                default: .kustomize(original: words[2] ?? "")
                }
            let place = ArgoPlace(file: file, holder: holder, form: form, application: web, image: "web")
            return (place, WrittenReference((words.last ?? nil) ?? ""))
        }
        if !places.isEmpty { return ManifestUpdater.update(bytes, file: file, places: places) }
        var request = UpdateRequest()
        request.force = isForced
        for (number, text) in directives("kustomize-image").enumerated() {
            let words = words(text)
            request.kustomizeImages.append(
                .init(name: words[0] ?? "", newName: words[1], newTag: words[2], digest: words[3]))
            if !String(decoding: bytes, as: UTF8.self).contains("name: \(words[0] ?? "")") {
                request.kustomizeAdditions[number] = file
            }
        }
        for text in directives("helm-value") {
            let equals = try #require(text.firstIndex(of: "="))
            let path = try #require(ValuePath(String(text[..<equals])))
            request.helmValues.append(.init(path: path, text: String(text[text.index(after: equals)...])))
            request.helmFiles = [file]
        }
        for text in directives("workload") {
            let words = words(text).compactMap { $0 }
            let parts = words[0].split { $0 == ":" || $0 == "/" }.map(String.init)
            request.workloads.append(
                .init(
                    workload: WorkloadID(namespace: parts[0], kind: parts[1], name: parts[2]), container: words[1],
                    image: WrittenReference(words[2])))
        }
        return ManifestUpdater.update(bytes, file: file, request: request)
    }
}

/// The same file in other clothes.
enum Variant: CaseIterable {
    case asIs, crlf, byteOrderMark, crlfAndByteOrderMark, noFinalLineBreak

    func apply(to bytes: [UInt8]) -> [UInt8] {
        let crlf = bytes.flatMap { $0 == 0x0A ? [0x0D, 0x0A] : [$0] }
        switch self {
        case .asIs: return bytes
        case .crlf: return crlf
        case .byteOrderMark: return [0xEF, 0xBB, 0xBF] + bytes
        case .crlfAndByteOrderMark: return [0xEF, 0xBB, 0xBF] + crlf
        case .noFinalLineBreak: return bytes.last == 0x0A ? bytes.dropLast() : bytes
        }
    }
}

@Suite(.tags(.unit))
struct GoldenTests {
    @Test func thereAreMany() { #expect(GoldenCase.all.count >= 300) }

    @Test(arguments: GoldenCase.all.filter(\.isRequest), Variant.allCases)
    func request(_ golden: GoldenCase, _ variant: Variant) throws {
        let original = variant.apply(to: golden.original)
        let expected = variant.apply(to: golden.expected)
        let result = try golden.carriedOut(on: original)
        #expect((result.bytes ?? original) == expected, "\(Self.difference(result.bytes ?? original, expected))")
        #expect((result.bytes == nil) == (original == expected))
        #expect(result.changes.isEmpty == (original == expected))
        let reasons = result.skipped.map(\.reason)
        for text in golden.directives("skipped") { #expect(reasons.contains { $0.contains(text) }, "\(reasons)") }
        if golden.directives("skipped").isEmpty { #expect(reasons == []) }
        // Once more: everything is right.
        #expect(try golden.carriedOut(on: expected).bytes == nil)
    }

    @Test(arguments: GoldenCase.all.filter { !$0.isRequest }, Variant.allCases)
    func update(_ golden: GoldenCase, _ variant: Variant) throws {
        let original = variant.apply(to: golden.original)
        let expected = variant.apply(to: golden.expected)
        let scan = ManifestScan.scan(file: golden.file, bytes: original)
        for expectation in golden.expectations where expectation.kind == "held" {
            let reasons = scan.targets.compactMap { $0.held?.description }
            #expect(reasons.contains { $0.contains(expectation.text) }, "\(reasons)")
        }
        for expectation in golden.expectations where expectation.kind == "skipped" {
            #expect(scan.skipped.contains { $0.reason.contains(expectation.text) }, "\(scan.skipped)")
        }
        if !golden.expectations.contains(where: { $0.kind == "skipped" }) { #expect(scan.skipped == []) }
        let edits = golden.edits(for: scan.targets)
        if golden.isNothing {
            #expect(edits.isEmpty)
            #expect(scan.targets.filter { $0.held == nil } == [])
            if golden.rules.isEmpty {
                #expect(scan.targets.allSatisfy { !$0.isMarker })
            }
            #expect(original == expected)
            return
        }
        #expect(!edits.isEmpty)
        if let refusal = golden.expectations.first(where: { $0.kind == "refused" }) {
            let error = #expect(throws: EditRefusal.self) {
                try ManifestUpdater.apply(edits, to: original, file: golden.file)
            }
            #expect(error?.reason.contains(refusal.text) == true, "\(error.map { "\($0)" } ?? "")")
            return
        }
        let result = try ManifestUpdater.apply(edits, to: original, file: golden.file)
        #expect(result == expected, "\(Self.difference(result, expected))")

        // Once more: every value is right, and nothing moves.
        let again = ManifestScan.scan(file: golden.file, bytes: result)
        #expect(again.targets.count == scan.targets.count)
        if golden.rules.allSatisfy({ $0.selector == "*" || $0.selector.hasPrefix("marker") }) {
            let repeated = golden.edits(for: again.targets)
            #expect(repeated.count == edits.count)
            #expect(try ManifestUpdater.apply(repeated, to: result, file: golden.file) == result)
        }
        guard golden.isReversible else { return }
        let reverse = edits.compactMap { edit -> ManifestEdit? in
            again.targets.first {
                $0.isSamePlace(as: edit.target) && $0.documentIndex == edit.target.documentIndex
                    && $0.source == .flux1Annotation
            }.map { ManifestEdit(target: $0, newImage: edit.target.image) }
        }
        if edits.allSatisfy({ $0.target.source == .flux1Annotation }) {
            #expect(try ManifestUpdater.apply(reverse, to: result, file: golden.file) == original)
        }
    }

    private static func difference(_ result: [UInt8], _ expected: [UInt8]) -> String {
        let common = zip(result, expected).prefix { $0 == $1 }.count
        let start = max(0, common - 30)
        return "at byte \(common): got '\(String(decoding: result[start...].prefix(80), as: UTF8.self))', "
            + "expected '\(String(decoding: expected[start...].prefix(80), as: UTF8.self))'"
    }
}
