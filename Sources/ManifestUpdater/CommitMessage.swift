/// Commit messages in Flux v1's words, so that a history goes on as it was.
package enum CommitMessage {
    /// - Parameter images: the new images as the manifests write them; sorted and made unique here.
    package static func automated(images: [String]) -> String {
        let images = Set(images).sorted()
        if images.count == 1 { return "Auto-release \(images[0])" }
        // Flux names ten, so that a message stays readable.
        return "Auto-release multiple (\(images.count)) images\n\n" + images.prefix(10).map { " - \($0)\n" }.joined()
            + (images.count > 10 ? " ...\n" : "")
    }
}
