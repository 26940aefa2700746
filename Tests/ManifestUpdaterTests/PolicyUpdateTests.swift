import ManifestUpdater
import TestSupport
import Testing
import YAML

/// Annotations as `slipway automate`, `lock` and `policy` leave them.
@Suite(.tags(.unit))
struct PolicyUpdateTests {
    private func edit(_ text: String, _ update: PolicyUpdate) -> (String?, FileUpdate) {
        let result = ManifestUpdater.update(
            Array(text.utf8), file: "f.yaml", policies: update, of: ["default:deployment/web"])
        return (result.bytes.map { String(decoding: $0, as: UTF8.self) }, result)
    }

    private static let head = "kind: Deployment\nmetadata:\n  name: web\n"
    private static let tail = "spec: {template: {spec: {containers: [{name: app, image: a:v1}]}}}\n"

    @Test(arguments: [
        ("", "  annotations:\n    fluxcd.io/automated: \"true\"\n"),
        ("  annotations:\n", "  annotations:\n    fluxcd.io/automated: \"true\"\n"),
        ("  annotations: {} # c\n", "  annotations: {fluxcd.io/automated: \"true\"} # c\n"),
        ("  annotations: {a: b}\n", "  annotations: {a: b, fluxcd.io/automated: \"true\"}\n"),
        (
            "  annotations:\n      a: b # c\n\n",
            "  annotations:\n      a: b # c\n      fluxcd.io/automated: \"true\"\n\n"
        ),
        (
            "  annotations:\n    a: |\n      text\n    c: d\n",
            "  annotations:\n    a: |\n      text\n    c: d\n    fluxcd.io/automated: \"true\"\n"
        ),
        (
            "  annotations:\n    a: |\n      text\n",
            "  annotations:\n    a: |\n      text\n    fluxcd.io/automated: \"true\"\n"
        ),
        (
            "  annotations:\n    flux.weave.works/automated: 'false'\n",
            "  annotations:\n    flux.weave.works/automated: 'true'\n"
        ),
        (
            "  annotations:\n    slipway.dev/automated: \"no\" # c\n",
            "  annotations:\n    slipway.dev/automated: \"true\" # c\n"
        ),
        (
            "  annotations: {fluxcd.io/automated: \"fal\n      se\"} # c\n",
            "  annotations: {fluxcd.io/automated: \"true\"} # c\n"
        ),
        (
            "  annotations: {a: b, fluxcd.io/automated: 'no\n\n      more' , c: d}\n",
            "  annotations: {a: b, fluxcd.io/automated: \"true\" , c: d}\n"
        ),
        (
            "  annotations:\n    fluxcd.io/automated: no\n      more # c\n    a: b\n",
            "  annotations:\n    fluxcd.io/automated: \"true\" # c\n    a: b\n"
        ),
    ])
    func automate(_ old: String, _ new: String) {
        for lineBreak in ["\n", "\r\n"] {
            let clothed = { (text: String) in (Self.head + text + Self.tail).replacing("\n", with: lineBreak) }
            let (text, result) = edit(clothed(old), PolicyUpdate(add: ["automated": "true"]))
            #expect(text == clothed(new), "\(result.skipped)")
            #expect(result.changes.count == 1)
            guard let text else { continue }
            #expect(edit(text, PolicyUpdate(add: ["automated": "true"])).0 == nil)
        }
    }

    @Test(arguments: [
        (
            "  annotations:\n    a: b\n    fluxcd.io/automated: \"true\" # c\n    c: d\n",
            "  annotations:\n    a: b\n    c: d\n"
        ),
        (
            "  annotations:\n    fluxcd.io/automated: 'true'\n    flux.weave.works/automated: 'true'\n",
            "  annotations: {}\n"
        ),
        ("  annotations: {fluxcd.io/automated: 'true', a: b}\n", "  annotations: {a: b}\n"),
        ("  annotations: {a: b, fluxcd.io/automated: 'true'}\n", "  annotations: {a: b}\n"),
        ("  annotations: {fluxcd.io/automated: 'true'}\n", "  annotations: {}\n"),
        // Comments stay, whatever they end with.
        (
            "  annotations: # a\n    # b:\n    fluxcd.io/automated: 'true' # c\n  # d\n",
            "  annotations: {} # a\n    # b:\n  # d\n"
        ),
        // Lines that end with NEL and LS: what stands behind them stays.
        ("  annotations:\n    fluxcd.io/automated: 'true'\u{85}", "  annotations: {}\n"),
        ("  annotations:\n    fluxcd.io/automated: 'true'\u{2028}", "  annotations: {}\n"),
    ])
    func deautomate(_ old: String, _ new: String) {
        let (text, result) = edit(Self.head + old + Self.tail, PolicyUpdate(remove: ["automated"]))
        #expect(text == Self.head + new + Self.tail, "\(result.skipped)")
    }

    @Test(arguments: ["\n", "\r\n"])
    func aFileWithoutItsLastLineBreakStaysSo(_ lineBreak: String) {
        let head = "kind: Pod\nspec: {}\nmetadata:\n  name: web\n  annotations:"
        let result = ManifestUpdater.update(
            Array((head + "\n    fluxcd.io/automated: 'true'").replacing("\n", with: lineBreak).utf8), file: "f.yaml",
            policies: PolicyUpdate(remove: ["automated"]), of: ["default:pod/web"])
        #expect(
            result.bytes.map { String(decoding: $0, as: UTF8.self) }
                == (head + " {}").replacing("\n", with: lineBreak), "\(result.skipped)")
    }

    /// Values that cannot be written over go, and come again in the same braces.
    @Test(arguments: [
        ("{fluxcd.io/automated: }", "{fluxcd.io/automated: \"true\"}"),
        ("{ fluxcd.io/automated: [a] }", "{ fluxcd.io/automated: \"true\" }"),
        ("{a: b, fluxcd.io/automated: [a]}", "{a: b, fluxcd.io/automated: \"true\"}"),
        ("{fluxcd.io/automated: [a], a: b}", "{a: b, fluxcd.io/automated: \"true\"}"),
        (
            "{fluxcd.io/automated: [a], flux.weave.works/automated: [b]}",
            "{fluxcd.io/automated: \"true\", flux.weave.works/automated: \"true\"}"
        ),
        (
            "{fluxcd.io/automated: [a], flux.weave.works/automated: [b], c: d}",
            "{c: d, fluxcd.io/automated: \"true\", flux.weave.works/automated: \"true\"}"
        ),
        (
            "{c: d, fluxcd.io/automated: [a], flux.weave.works/automated: [b]}",
            "{c: d, fluxcd.io/automated: \"true\", flux.weave.works/automated: \"true\"}"
        ),
    ])
    func bracesAreRefilled(_ old: String, _ new: String) {
        let clothed = { (text: String) in Self.head + "  annotations: " + text + " # c\n" + Self.tail }
        let (text, result) = edit(clothed(old), PolicyUpdate(add: ["automated": "true"]))
        #expect(text == clothed(new), "\(result.skipped)")
    }

    @Test(arguments: [
        ("{!!str fluxcd.io/automated: 'true', a: b}", "'fluxcd.io/automated' has a tag before it"),
        ("{!!str fluxcd.io/automated: 'true'}", "'fluxcd.io/automated' has a tag before it"),
        ("{fluxcd.io/automated: 'true', !a: b}", "the key behind it, 'b', has a tag or an anchor"),
        ("{fluxcd.io/automated: 'true', &a b: c}", "the key behind it, 'b', has a tag or an anchor"),
    ])
    func tagsBeforeKeysStayTheirs(_ annotations: String, _ reason: String) {
        let (text, result) = edit(
            Self.head + "  annotations: \(annotations)\n" + Self.tail, PolicyUpdate(remove: ["automated"]))
        #expect(text == nil)
        #expect(result.skipped.map(\.reason) == ["cannot be changed: \(reason)"])
    }

    @Test func removeWinsOverAdd() {
        let old = Self.head + "  annotations: {fluxcd.io/automated: 'true'}\n" + Self.tail
        let (text, _) = edit(old, PolicyUpdate(add: ["automated": "true"], remove: ["automated"]))
        #expect(text == Self.head + "  annotations: {}\n" + Self.tail)
    }

    @Test func locksSayWhoAndWhy() throws {
        let update = PolicyUpdate(add: [
            "locked": "true", "locked_user": "Ann <ann@x>", "locked_msg": "wait: \"é\"\nnow",
        ])
        let (text, result) = edit(Self.head + Self.tail, update)
        let expected =
            "  annotations:\n    fluxcd.io/locked: \"true\"\n    fluxcd.io/locked_msg: \"wait: \\\"é\\\"\\nnow\"\n    fluxcd.io/locked_user: \"Ann <ann@x>\"\n"
        #expect(text == Self.head + expected + Self.tail, "\(result.skipped)")
        let locked = try #require(text)
        #expect(
            edit(locked, PolicyUpdate(remove: ["locked", "locked_user", "locked_msg"])).0 == Self.head
                + "  annotations: {}\n" + Self.tail)
        #expect(edit(locked, PolicyUpdate(add: ["locked_msg": "other words"])).0?.contains("other words") == true)
    }

    @Test func tagsForAllContainers() {
        let old = Self.head + "  annotations: {filter.fluxcd.io/app: 'glob:v*'}\n" + Self.tail
        #expect(edit(old, PolicyUpdate(tagAll: "semver:~1")).0 == old.replacing("glob:v*", with: "semver:~1"))
        #expect(edit(old, PolicyUpdate(tagAll: "glob:*")).0 == Self.head + "  annotations: {}\n" + Self.tail)
    }

    @Test func sharedAnnotationsAreRefused() {
        let old = Self.head + "  annotations: &a {fluxcd.io/automated: 'true'}\n  labels: *a\n" + Self.tail
        let (text, result) = edit(old, PolicyUpdate(remove: ["automated"]))
        #expect(text == nil)
        #expect(result.skipped.first?.reason.contains("shared, by an anchor") == true)
    }

    @Test func linesThatEditorsDoNotShowAreLines() {
        // To libyaml the comment ends with NEL, and a block text begins.
        let old = "a: b # x\u{85}c: |-\n  d\n"
        var request = UpdateRequest()
        request.kustomizeImages = [.init(name: "web", newName: nil, newTag: "v2", digest: nil)]
        request.kustomizeAdditions = [0: "kustomization.yaml"]
        let result = ManifestUpdater.update(Array(old.utf8), file: "kustomization.yaml", request: request)
        #expect(
            result.bytes.map { String(decoding: $0, as: UTF8.self) }
                == "a: b # x\u{85}images:\n- name: web\n  newTag: v2\nc: |-\n  d\n", "\(result.skipped)")
    }

    @Test func messagesAreFluxs() {
        let ids = ["default:deployment/b", "default:deployment/a"]
        func message(_ update: PolicyUpdate, _ user: String? = nil) -> String {
            CommitMessage.policies(update, workloads: ids, user: user)
        }
        let list = "default:deployment/a, default:deployment/b"
        #expect(message(PolicyUpdate(add: ["automated": "true"])) == "Automated: \(list)\n")
        #expect(
            message(PolicyUpdate(remove: ["locked", "locked_user", "locked_msg"]))
                == "Updated workload policies\n\n- Unlocked: \(list)\n- Updated policies: \(list)\n")
        #expect(message(PolicyUpdate(remove: ["locked"])) == "Unlocked: \(list)\n")
        #expect(message(PolicyUpdate(add: ["locked": "true", "locked_msg": "x"]), "x") == "x\n\n- Locked: \(list)\n")
        #expect(
            message(PolicyUpdate(add: ["tag.app": "glob:*", "locked": "true"]))
                == "Updated workload policies\n\n- Locked: \(list)\n- Updated policies: \(list)\n")
        #expect(message(PolicyUpdate(remove: ["automated"]), "because") == "because\n\n- Deautomated: \(list)\n")
        #expect(CommitMessage.release(image: nil, workloads: []) == "Release all latest to all")
        #expect(
            CommitMessage.release(image: "a:v2", workloads: ids)
                == "Release a:v2 to default:deployment/b, default:deployment/a")
        #expect(PolicyUpdate.pattern("v1.*") == "glob:v1.*" && PolicyUpdate.pattern("semver:~1") == "semver:~1")
    }
}
