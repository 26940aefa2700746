import Foundation
import ManifestUpdater
import TestSupport
import Testing
import YAML

/// Files of sops: what its code covers stays as it is, whoever asks for the change.
@Suite(.tags(.unit)) struct EncryptedFileTests {
    private static let workload = """
        kind: Pod
        metadata: {name: web, annotations: {fluxcd.io/automated: "true"}}
        spec: {containers: [{name: app, image: "acme/web:v1"}]}
        images: [{name: acme/web, newTag: v1}]
        image: v1 # {"$imagepolicy": "a:b:tag"}
        secret: ENC[AES256_GCM,data:x,type:str]

        """

    enum Ask: String, CaseIterable, Sendable {
        case marker, workload, kustomize, addition, helm, edit, annotation, removal, argo

        func update(_ bytes: [UInt8]) throws -> FileUpdate {
            let file = "kustomization.yaml"
            let id = WorkloadID(namespace: "default", kind: "pod", name: "web")
            var request = UpdateRequest()
            switch self {
            case .marker: request.resolved[.init(namespace: "a", name: "b")] = WrittenReference("acme/web:v2")
            case .workload: request.workloads = [.init(workload: id, container: nil, image: "acme/web:v2")]
            case .kustomize:
                request.kustomizeImages = [.init(name: "acme/web", newName: nil, newTag: "v2", digest: nil)]
            case .addition:
                request.kustomizeImages = [.init(name: "acme/db", newName: nil, newTag: "v2", digest: nil)]
                request.kustomizeAdditions = [0: file]
            case .helm:
                request.helmValues = [.init(path: try #require(ValuePath("image")), text: "v2")]
                request.helmFiles = [file]
            case .edit:
                let targets = ManifestScan.scan(file: file, bytes: bytes).targets
                let target = try #require(targets.first { $0.container == "app" })
                #expect(target.held?.description.contains("sops") == true)
                return ManifestUpdater.update(
                    bytes, file: file, edits: [ManifestEdit(target: target, newImage: "acme/web:v2")]
                ).update
            case .annotation, .removal:
                return ManifestUpdater.update(
                    bytes, file: file,
                    policies: self == .removal
                        ? PolicyUpdate(remove: ["automated"]) : PolicyUpdate(add: ["tag.app": "glob:v*"]),
                    of: ["default:pod/web"])
            case .argo:
                let place = ArgoPlace(
                    file: file, holder: .kustomization, form: .kustomize(original: "acme/web"),
                    application: WorkloadID(namespace: "argocd", kind: "Application", name: "web"), image: "web")
                return ManifestUpdater.update(bytes, file: file, places: [(place, WrittenReference("acme/web:v2"))])
            }
            request.force = true
            return ManifestUpdater.update(bytes, file: file, request: request)
        }
    }

    @Test(arguments: Ask.allCases, ["", "---\nx: 1\n", "json"])
    func `a file that its code covers is held, with the reason`(_ ask: Ask, _ shape: String) throws {
        var text = shape + Self.workload + "sops:\n  mac: ENC[AES256_GCM,data:y,type:str]\n  version: 3.9.0\n"
        if shape == "json" {
            // JSON has no comments.
            if ask == .marker { return }
            text = """
                {"kind": "Pod", "metadata": {"name": "web", "annotations": {"fluxcd.io/automated": "true"}},
                 "spec": {"containers": [{"name": "app", "image": "acme/web:v1"}]}, "image": "v1",
                 "images": [{"name": "acme/web", "newTag": "v1"}], "sops": {"mac": "ENC[x]"}}

                """
        }
        let update = try ask.update(Array(text.utf8))
        #expect(update.bytes == nil && update.changes == [])
        // A place that is held before is not asked for.
        let isHeld = ask == .edit
        #expect(update.skipped.isEmpty == isHeld)
        #expect(update.skipped.allSatisfy { $0.reason.contains("'sops edit'") }, "\(update.skipped)")
    }

    @Test(arguments: [
        "sops: {mac: 'ENC[x]', mac_only_encrypted: true}", "sops: {version: 3}", "sops: text", "sopsx: {mac: 'ENC[x]'}",
        "data: {sops: {mac: 'ENC[x]'}}", "creation_rules: [{mac_only_encrypted: false}]",
    ])
    func `where the code does not cover plain values, they are written`(_ tail: String) throws {
        for ask in Ask.allCases where ask != .edit {
            let update = try ask.update(Array((Self.workload + tail + "\n").utf8))
            #expect(update.bytes != nil && update.skipped == [], "\(ask): \(update.skipped)")
        }
    }

    @Test func `an encrypted value is written by nobody`() throws {
        let text = Self.workload.replacing("image: v1", with: "image: ENC[AES256_GCM,data:x,type:str]")
        for ask in [Ask.marker, .helm] {
            let update = try ask.update(Array((text + "sops: {mac: 'ENC[x]', mac_only_encrypted: true}\n").utf8))
            #expect(update.bytes == nil)
            #expect(update.skipped.map(\.reason) == ["the value is encrypted by sops: change it with 'sops edit'"])
        }
    }

    @Test func `files of other forms are no manifests`() {
        for name in ["secrets.env", ".env", "app.ini", "blob.bin"] { #expect(!UpdateRequest.isManifest(name)) }
        #expect(UpdateRequest.isManifest(".sops.yaml"))
    }

    @Test(.tags(.integration), arguments: ["yaml", "json"])
    func `sops itself reads what was left alone, and refuses what was not`(_ form: String) throws {
        let directory = try TemporaryDirectory("sops")
        let home = try TemporaryDirectory("gpg")
        try Shell.run(["chmod", "700", home.path])
        let environment = ["GNUPGHOME": home.path]
        try Shell.run(
            [
                "gpg", "--batch", "--passphrase", "", "--quick-generate-key", "t@example.com", "rsa2048", "encr",
                "never",
            ],
            environment: environment)
        defer { _ = try? Shell.run(["gpgconf", "--homedir", home.path, "--kill", "all"]) }
        let keys = try Shell.run(["gpg", "--list-keys", "--with-colons"], environment: environment).stdout
        let line = try #require(keys.split(separator: "\n").first { $0.hasPrefix("fpr") })
        let fingerprint = String(try #require(line.split(separator: ":").last))
        let program = try #require(Self.program)
        let plain = directory.file("plain.\(form)")
        let text =
            form == "json"
            ? #"{"tag_unencrypted": "v1", "password": "x"}"# : "tag_unencrypted: v1\npassword: x\n"
        try text.write(toFile: plain, atomically: true, encoding: .utf8)
        let encrypted = try Shell.run([program, "--pgp", fingerprint, "-e", plain], environment: environment).stdout
        #expect(encrypted.contains("\"mac\"") || encrypted.contains("mac:"))

        var request = UpdateRequest()
        request.helmValues = [.init(path: try #require(ValuePath("tag_unencrypted")), text: "v2")]
        request.helmFiles = ["f.\(form)"]
        let update = ManifestUpdater.update(Array(encrypted.utf8), file: "f.\(form)", request: request)
        #expect(update.bytes == nil)
        #expect(update.skipped.map(\.reason).allSatisfy { $0.contains("sops.mac") } && update.skipped.count == 1)
        func decrypts(_ text: String) throws -> Bool {
            let path = directory.file("f.\(form)")
            try text.write(toFile: path, atomically: true, encoding: .utf8)
            return try Shell.run([program, "-d", path], environment: environment, allowFailure: true).status == 0
        }
        #expect(try decrypts(encrypted))
        #expect(try !decrypts(encrypted.replacing("v1", with: "v2")))
    }

    private static let program: String? = {
        let path =
            URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().path + "/.build-venv/bin/sops"
        return FileManager.default.isExecutableFile(atPath: path) ? path : nil
    }()
}
