import Diagnostics
import ManifestUpdater
import YAML

/// Manifests: read, searched, changed in every way that the updater knows.
@Sendable func fuzzManifest(_ input: [UInt8]) {
    // Whatever the input is, it is looked at.
    let bytes = input + Array("\n# fluxcd.io \"$imagepolicy\" argocd-image-updater.argoproj.io kind image\n".utf8)
    for file in ["f.yaml", "kustomization.yaml"] {
        let scan = ManifestScan.scan(file: file, bytes: bytes)
        for skip in scan.skipped { require(skip.reason.utf8.count < 8192, "a reason of unbearable length") }
        for target in scan.targets {
            require(target.valueRange.upperBound <= bytes.count, "a value outside of the file")
            let new: WrittenReference =
                target.isMarker
                ? "z:1.10@sha256:ab" : target.image.with(tag: "9.9")
            changed(
                bytes, file: file, ManifestEdit(target: target, newImage: new), targets: scan.targets.count,
                markers: scan.targets.count(where: \.isMarker))
        }
        for application in scan.applications {
            _ = application.images
            for form in [
                ArgoPlace.Form.helm(name: "image.name", tag: "image.tag"), .helmSpec("image"),
                .kustomize(original: "a"),
            ] {
                let place = ArgoPlace(
                    file: file,
                    holder: .application(application.workload, source: application.sources.first?.position ?? .single),
                    form: form, application: application.workload, image: "a")
                changed(bytes, file: file, place)
            }
        }
    }
    let overrides = ArgoPlace(
        file: "o", holder: .overrides, form: .helm(name: "n", tag: "t"),
        application: WorkloadID(namespace: "a", kind: "Application", name: "b"), image: "a")
    changed(bytes, file: "o", overrides)
    let (containers, _) = ManifestScan.containers(file: "f.yaml", bytes: bytes)
    let workloads = Set(containers.prefix(4).map(\.workload.description))
    if !workloads.isEmpty {
        for update in [
            PolicyUpdate(add: ["automated": "true", "tag.app": "semver:~1"]),
            PolicyUpdate(remove: ["automated", "locked"]),
            PolicyUpdate(tagAll: "glob:v*"),
        ] {
            checked(bytes, ManifestUpdater.update(bytes, file: "f.yaml", policies: update, of: workloads))
        }
    }
    var request = UpdateRequest()
    request.kustomizeImages = [.init(name: "web", newName: "a/b", newTag: "1.10", digest: nil)]
    request.kustomizeAdditions = [0: "kustomization.yaml"]
    if let path = ValuePath("image.tag") { request.helmValues = [.init(path: path, text: "on")] }
    request.helmFiles = ["kustomization.yaml"]
    checked(bytes, ManifestUpdater.update(bytes, file: "kustomization.yaml", request: request))
    _ = try? PodSpecReader.pods(in: bytes, file: "f.yaml")
    if let value = try? YAMLValue.document(bytes, file: "f.yaml") { _ = try? value.entries() }
}

/// An image at one of Argo CD's places.
private func changed(_ bytes: [UInt8], file: String, _ place: ArgoPlace) {
    let edit = ManifestEdit(place: .argo(place, old: ManifestUpdater.image(at: place, in: bytes)), newImage: "a:v2")
    checked(bytes, ManifestUpdater.update(bytes, file: file, edits: [edit]).update)
}

/// One edit of a scanned place: what comes out is found again, and differs in nothing before the value.
private func changed(_ bytes: [UInt8], file: String, _ edit: ManifestEdit, targets: Int, markers: Int) {
    let update = ManifestUpdater.update(bytes, file: file, edits: [edit]).update
    checked(bytes, update)
    guard let result = update.bytes else { return }
    let same = zip(result, bytes).prefix { $0 == $1 }.count
    require(same >= edit.target.valueRange.lowerBound, "something before the value changed")
    let after = ManifestScan.scan(file: file, bytes: result).targets
    // A marker may give an image a tag, and so make it one that annotations can follow.
    let isSame = edit.target.isMarker ? after.count(where: \.isMarker) == markers : after.count == targets
    require(isSame, "an update makes places come or go")
}

private func checked(_ bytes: [UInt8], _ update: FileUpdate) {
    for skip in update.skipped {
        require(
            !skip.reason.contains("the change would alter") && !skip.reason.contains("would not be YAML"),
            "the rewriter wrote something else than it meant: \(skip.reason)")
    }
    require((update.bytes == nil) == update.changes.isEmpty, "changes without new bytes, or the other way round")
}
