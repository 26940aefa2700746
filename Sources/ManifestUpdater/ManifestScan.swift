import Glibc
import YAML

/// Finds what can be updated in a file. Pure: bytes in, places out.
package enum ManifestScan {
    private static let words = [
        "fluxcd.io", "flux.weave.works", "$imagepolicy", "slipway.dev", "keel.sh/", "argocd-image-updater.argoproj.io",
        "keel.observer/", "keel:",
    ]

    /// Applications need not speak of the image updater: an `ImageUpdater` elsewhere may take them. Rollouts and Workflows are of
    /// the same group, and of no interest.
    private static func mayHoldApplications(_ bytes: [UInt8]) -> Bool {
        contains(bytes, "argoproj.io/") && contains(bytes, "Application")
    }

    /// Whether a file can hold anything for the updater: a search of its bytes, so that all other files cost next to
    /// nothing.
    package static func mayMatter(_ bytes: [UInt8]) -> Bool {
        isAutomated(bytes) || mayHoldApplications(bytes)
    }

    private static func isAutomated(_ bytes: [UInt8]) -> Bool { words.contains { contains(bytes, $0) } }

    /// All image references of annotated workloads and all marked values. A file that is not YAML gives no targets and
    /// one reason; it never fails.
    ///
    /// - Parameter rules: where custom resources have their images.
    package static func scan(file: String, bytes: [UInt8], rules: [ImagePathRule] = []) -> ScanResult {
        var result = ScanResult()
        let (isAutomated, isArgo) = (isAutomated(bytes), mayHoldApplications(bytes))
        let isKustomization = UpdateRequest.isKustomization(file)
        guard isAutomated || isArgo || isKustomization else { return result }
        do {
            let documents = try YAMLStream.parse(bytes, file: file)
            if !isAutomated && !isKustomization { return scanArgo(documents, file: file, bytes: bytes) }
            result = scan(documents, file: file, bytes: bytes, rules: rules)
        } catch  where !isAutomated && !isArgo {
            return result
        } catch {
            let skipped = ScanResult.Skipped(place: error.place ?? file, reason: error.summary)
            // Whether such a file holds an Application matters only where something would take it.
            if isAutomated { result.skipped.append(skipped) } else { result.unreadApplications.append(skipped) }
        }
        return result
    }

    static func scan(
        _ documents: [YAMLDocument], file: String, bytes: [UInt8], rules: [ImagePathRule] = []
    ) -> ScanResult {
        var scanner = Scanner(file: file, bytes: bytes)
        scanner.rules = rules
        let hasMarkers = contains(bytes, "\"$imagepolicy\"")
        for document in documents {
            guard let root = document.root else { continue }
            for manifest in Manifest.all(in: root) {
                scanner.scan(manifest, document: document.index)
                scanner.scanFluxObject(manifest)
                scanner.scanArgoObject(manifest)
            }
            if UpdateRequest.isKustomization(file) {
                scanner.scanKustomization(root, document: document.index)
                // Which objects it changes, and how, is worked out with all of the repository at hand.
                if let value = ObjectValue(root) { scanner.addKustomization(value) }
            }
            if root["kind"] == nil || root["apiVersion"] == nil {
                scanner.scanKeelValues(root, document: document.index)
            }
            if hasMarkers { scanner.scanMarkers(in: root, document: document.index) }
        }
        if hasMarkers, UpdateRequest.mayHoldMarkers(file) { scanner.remarkIdleMarkers() }
        return scanner.finished(encrypted: EncryptedFile(documents).refusal)
    }

    private static func scanArgo(_ documents: [YAMLDocument], file: String, bytes: [UInt8]) -> ScanResult {
        var scanner = Scanner(file: file, bytes: bytes)
        for document in documents {
            for manifest in document.root.map(Manifest.all) ?? [] { scanner.scanArgoObject(manifest) }
        }
        return scanner.finished()
    }

    static func contains(_ bytes: [UInt8], _ word: String) -> Bool { firstPlace(of: word, in: bytes) != nil }

    /// Every place of a word.
    static func places(of word: String, in bytes: [UInt8]) -> [Int] {
        var places: [Int] = []
        var start = 0
        while let place = firstPlace(of: word, in: bytes, from: start) {
            places.append(place)
            start = place + word.utf8.count
        }
        return places
    }

    /// A plain search that looks for one of the word's rarer letters first (glibc's `memmem` is hidden behind a feature
    /// macro).
    private static func firstPlace(of word: String, in bytes: [UInt8], from start: Int = 0) -> Int? {
        var word = word
        return word.withUTF8 { word -> Int? in
            guard let wanted = word.baseAddress else { return start }
            let rare = Self.rareLetters.lazy.compactMap { word.firstIndex(of: $0) }.first ?? 0
            return bytes.withUnsafeBytes { text in
                guard let base = text.baseAddress else { return nil }
                var index = start + rare
                while index < text.count, let hit = memchr(base + index, Int32(word[rare]), text.count - index) {
                    let begin = base.distance(to: UnsafeRawPointer(hit)) - rare
                    if begin + word.count <= text.count, memcmp(base + begin, wanted, word.count) == 0 { return begin }
                    index = begin + rare + 1
                }
                return nil
            }
        }
    }

    private static let rareLetters: [UInt8] = Array("$xjqzywk".utf8)
}
