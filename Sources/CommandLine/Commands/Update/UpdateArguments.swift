import ArgumentParser
import Diagnostics
import ManifestUpdater
import OCI

extension UpdateCommand {
    /// The flags as a request, with messages that name the flag and what it takes.
    func request() throws -> UpdateRequest {
        var request = UpdateRequest()
        for text in resolved {
            let (name, image) = try RegistryOptions.pair(text, flag: "--resolved")
            let parts = name.split(separator: ":", omittingEmptySubsequences: false)
            guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else {
                throw ValidationError("--resolved '\(text)': write NAMESPACE:NAME=REPOSITORY:TAG[@DIGEST]")
            }
            let policy = UpdateRequest.PolicyName(namespace: String(parts[0]), name: String(parts[1]))
            let value = try Self.image(image, flag: "--resolved")
            guard value.tag != nil else {
                throw ValidationError("--resolved '\(text)': there is no tag; write REPOSITORY:TAG[@DIGEST]")
            }
            if let other = request.resolved[policy], other != value {
                throw ValidationError("--resolved: '\(policy)' is answered twice, by \(other) and \(value)")
            }
            request.resolved[policy] = value
        }
        request.workloads = try workloadImages()
        request.kustomizeImages = try kustomizeImages.map(Self.kustomizeImage)
        for (index, image) in request.kustomizeImages.enumerated() {
            if request.kustomizeImages[..<index].contains(where: { $0.name == image.name && $0 != image }) {
                throw ValidationError("--kustomize-image: '\(image.name)' is given twice, with different images")
            }
        }
        request.helmValues = try helmValues.map { text in
            let (path, value) = try RegistryOptions.pair(text, flag: "--helm-value")
            guard let path = ValuePath(path) else {
                throw ValidationError("--helm-value '\(text)': '\(path)' is no path like image.tag or list[0].image")
            }
            guard value.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
                throw ValidationError("--helm-value '\(text)': the value holds blanks or characters outside ASCII")
            }
            return UpdateRequest.HelmValue(path: path, text: value)
        }
        if !helmFiles.isEmpty, helmValues.isEmpty {
            throw ValidationError("--helm-file says where; say what by --helm-value PATH=VALUE")
        }
        request.helmFiles = Set(helmFiles.map { $0.hasPrefix("./") ? String($0.dropFirst(2)) : $0 })
        request.force = force
        guard
            !(request.resolved.isEmpty && request.workloads.isEmpty && request.kustomizeImages.isEmpty
                && request.helmValues.isEmpty)
        else {
            throw ValidationError(
                "say what to write: --resolved, --workload with --image, --kustomize-image or --helm-value")
        }
        return request
    }

    private func workloadImages() throws -> [UpdateRequest.WorkloadImage] {
        guard workload.count == image.count else {
            throw ValidationError(
                "--workload is given \(workload.count) times and --image \(image.count) times: they belong together")
        }
        guard container.isEmpty || container.count == workload.count else {
            throw ValidationError(
                "--container is given \(container.count) times for \(workload.count) workloads: name one for each, or none"
            )
        }
        return try workload.indices.map { index in
            UpdateRequest.WorkloadImage(
                workload: try WorkloadID.argument(workload[index], flag: "--workload"),
                container: container.isEmpty ? nil : container[index],
                image: try Self.image(image[index], flag: "--image"))
        }
    }

    /// What `kustomize edit set image` takes.
    static func kustomizeImage(_ text: String) throws -> UpdateRequest.KustomizeImage {
        let flag = "--kustomize-image '\(text)'"
        var name = text
        var new: String?
        if let equals = text.firstIndex(of: "=") {
            name = String(text[..<equals])
            new = String(text[text.index(after: equals)...])
        }
        let image = WrittenReference(new ?? text)
        if new == nil { name = image.name }
        guard !name.isEmpty, !image.name.isEmpty, image.tag != "", image.digest != "" else {
            throw ValidationError("\(flag): write NAME=NEWNAME:TAG, NAME:TAG or NAME@DIGEST")
        }
        // '*' keeps the name that the entry has.
        let newName = new == nil || image.name == "*" ? nil : image.name
        let kept: UpdateRequest.KustomizeImage.Kept?
        switch (image.tag, image.digest) {
        case ("*", nil): kept = .tag
        case (nil, "*"): kept = .digest
        case ("*", _), (_, "*"): throw ValidationError("\(flag): '*' stands alone, as NEWNAME:* or NEWNAME@*")
        default: kept = nil
        }
        let checked = kept == nil ? new ?? text : image.name
        if image.name != "*" { _ = try Self.image(checked, flag: "--kustomize-image") }
        guard newName != nil || kept == nil && (image.tag != nil || image.digest != nil) else {
            throw ValidationError("\(flag): it gives neither a new name, nor a tag, nor a digest")
        }
        var wanted = UpdateRequest.KustomizeImage(
            name: name, newName: newName, newTag: kept == .tag ? nil : image.tag,
            digest: kept == .digest ? nil : image.digest)
        wanted.kept = kept
        return wanted
    }

    /// A reference as it is written, once it is known to be one.
    static func image(_ text: String, flag: String) throws -> WrittenReference {
        do {
            let location = try ImageLocation(text)
            guard case .registry = location.repository else {
                throw ValidationError("\(flag) '\(text)': manifests name images of registries")
            }
        } catch let error as OCIError {
            throw ValidationError(
                "\(flag) '\(text)': no image reference" + (error.cause.map { ": \($0)" } ?? ""))
        }
        return WrittenReference(text)
    }
}

extension WorkloadID {
    /// `[namespace:]kind/name`, as fluxctl writes it.
    static func argument(_ text: String, flag: String, namespace: String = "default") throws -> WorkloadID {
        let colon = text.firstIndex(of: ":")
        let space = colon.map { String(text[..<$0]) } ?? namespace
        let rest = colon.map { text[text.index(after: $0)...] } ?? text[...]
        let parts = rest.split(separator: "/", omittingEmptySubsequences: false)
        guard !space.isEmpty, parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else {
            throw ValidationError("\(flag) '\(text)': write NAMESPACE:KIND/NAME, like default:deployment/web")
        }
        return WorkloadID(namespace: space, kind: String(parts[0]), name: String(parts[1]))
    }
}
