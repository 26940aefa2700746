import Foundation

/// Images that tests build on, written by tar, gzip and sha256sum rather than by our own code.
package enum ImageFixtures {
    /// The machine's static busybox as an image in an OCI layout: `/bin` with all applets, `/etc/passwd` with `root`,
    /// `app` (1000:1000, also in group `extra`, 2000), `/tmp` (1777), `/srv` and a link `/data` to it.
    ///
    /// - Returns: the image's name, `oci:<path>:<tag>`.
    @discardableResult
    package static func busybox(
        at path: String, tag: String = "latest", environment: [String] = ["PATH=/usr/bin:/bin", "BASE=busybox"],
        onBuild: [String] = []
    ) throws -> String {
        let scratch = try TemporaryDirectory("busybox")
        let root = scratch.file("root")
        let files = FileManager.default
        for folder in ["bin", "etc", "tmp", "root", "srv", "usr/bin", "home/app"] {
            try files.createDirectory(atPath: "\(root)/\(folder)", withIntermediateDirectories: true)
        }
        let program = "/bin/busybox"
        guard files.isExecutableFile(atPath: program) else {
            throw TestSupportError("\(program) is missing: install busybox-static")
        }
        try files.copyItem(atPath: program, toPath: "\(root)/bin/busybox")
        for applet in try Shell.run([program, "--list"]).stdout.split(separator: "\n") where applet != "busybox" {
            try files.createSymbolicLink(atPath: "\(root)/bin/\(applet)", withDestinationPath: "busybox")
        }
        try files.createSymbolicLink(atPath: "\(root)/data", withDestinationPath: "/srv")
        let passwd = "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000:App:/home/app:/bin/sh\n"
        try Data(passwd.utf8).write(to: URL(fileURLWithPath: "\(root)/etc/passwd"))
        let group = "root:x:0:\napp:x:1000:\nextra:x:2000:app\n"
        try Data(group.utf8).write(to: URL(fileURLWithPath: "\(root)/etc/group"))
        try Data("removable\n".utf8).write(to: URL(fileURLWithPath: "\(root)/srv/old.txt"))
        try Shell.run(["chmod", "1777", "\(root)/tmp"])
        try Shell.run(["chmod", "-R", "go-w,a+rX", "\(root)/bin", "\(root)/etc", "\(root)/srv"])
        let tar = scratch.file("layer.tar")
        try Shell.run([
            "tar", "--sort=name", "--format=pax", "--pax-option=delete=atime,delete=ctime", "--numeric-owner",
            "--owner=0",
            "--group=0", "--mtime=@1500000000", "-C", root, "-cf", tar, ".",
        ])
        return try image(
            at: path, tag: tag, layerTars: [tar],
            config: ["Env": environment, "Cmd": ["/bin/sh"], "OnBuild": onBuild])
    }

    /// An image of layers that are tar files.
    ///
    /// - Parameter config: the inner `config` object.
    @discardableResult
    package static func image(
        at path: String, tag: String, layerTars: [String], config: [String: Any] = [:], hasHistory: Bool = true,
        isCompressed: Bool = true
    ) throws -> String {
        let files = FileManager.default
        let blobs = "\(path)/blobs/sha256"
        try files.createDirectory(atPath: blobs, withIntermediateDirectories: true)
        var layers: [[String: Any]] = []
        var diffIDs: [String] = []
        for tar in layerTars {
            diffIDs.append("sha256:" + (try sha256(ofFile: tar)))
            guard isCompressed else {
                let digest = try sha256(ofFile: tar)
                if files.fileExists(atPath: "\(blobs)/\(digest)") { try files.removeItem(atPath: "\(blobs)/\(digest)") }
                try files.moveItem(atPath: tar, toPath: "\(blobs)/\(digest)")
                let size = try size(ofFile: "\(blobs)/\(digest)")
                layers.append(descriptor("application/vnd.oci.image.layer.v1.tar", digest, size))
                continue
            }
            let compressed = try Shell.run(["sh", "-c", "gzip -n -c '\(tar)' > '\(tar).gz'; printf done"])
            guard compressed.stdout == "done" else { throw TestSupportError("gzip failed") }
            let digest = try sha256(ofFile: "\(tar).gz")
            let blob = "\(blobs)/\(digest)"
            if files.fileExists(atPath: blob) { try files.removeItem(atPath: blob) }
            try files.moveItem(atPath: "\(tar).gz", toPath: blob)
            layers.append(
                descriptor("application/vnd.oci.image.layer.v1.tar+gzip", digest, try size(ofFile: blob)))
        }
        let machine = try Shell.run(["uname", "-m"]).stdout.trimmingCharacters(in: .whitespacesAndNewlines)
        let configuration: [String: Any] = [
            "architecture": machine == "aarch64" ? "arm64" : "amd64", "os": "linux",
            "created": "2017-07-14T02:40:00Z", "config": config.filter { ($0.value as? [String])?.isEmpty != true },
            "rootfs": ["type": "layers", "diff_ids": diffIDs],
            "history": (hasHistory ? diffIDs : []).map { _ in
                ["created": "2017-07-14T02:40:00Z", "created_by": "a fixture"]
            },
        ]
        let configDescriptor = try add(configuration, "application/vnd.oci.image.config.v1+json", to: blobs)
        let manifest: [String: Any] = [
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": configDescriptor, "layers": layers,
        ]
        var named = try add(manifest, "application/vnd.oci.image.manifest.v1+json", to: blobs)
        named["annotations"] = ["org.opencontainers.image.ref.name": tag]
        let indexPath = "\(path)/index.json"
        var manifests: [[String: Any]] = []
        if let bytes = files.contents(atPath: indexPath),
            let index = try JSONSerialization.jsonObject(with: bytes) as? [String: Any]
        {
            let present = index["manifests"] as? [[String: Any]] ?? []
            manifests = present.filter {
                ($0["annotations"] as? [String: String])?["org.opencontainers.image.ref.name"] != tag
            }
        }
        manifests.append(named)
        let index: [String: Any] = ["schemaVersion": 2, "manifests": manifests]
        try json(index).write(to: URL(fileURLWithPath: indexPath))
        try Data(#"{"imageLayoutVersion":"1.0.0"}"#.utf8).write(to: URL(fileURLWithPath: "\(path)/oci-layout"))
        return "oci:\(path):\(tag)"
    }

    private static func descriptor(_ mediaType: String, _ digest: String, _ size: Int) -> [String: Any] {
        ["mediaType": mediaType, "digest": "sha256:\(digest)", "size": size]
    }

    private static func add(_ object: [String: Any], _ mediaType: String, to blobs: String) throws -> [String: Any] {
        let bytes = try json(object)
        let file = "\(blobs)/.new-\(UUID().uuidString)"
        try bytes.write(to: URL(fileURLWithPath: file))
        let digest = try sha256(ofFile: file)
        let blob = "\(blobs)/\(digest)"
        if FileManager.default.fileExists(atPath: blob) { try FileManager.default.removeItem(atPath: blob) }
        try FileManager.default.moveItem(atPath: file, toPath: blob)
        return descriptor(mediaType, digest, bytes.count)
    }

    private static func json(_ object: [String: Any]) throws -> Data {
        try JSONSerialization.data(withJSONObject: object, options: [.sortedKeys, .withoutEscapingSlashes])
    }

    private static func sha256(ofFile path: String) throws -> String {
        let output = try Shell.run(["sha256sum", path]).stdout
        guard let digest = output.split(separator: " ").first else { throw TestSupportError("sha256sum said nothing") }
        return String(digest)
    }

    private static func size(ofFile path: String) throws -> Int {
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        guard let size = attributes[.size] as? Int else { throw TestSupportError("\(path) has no size") }
        return size
    }
}
