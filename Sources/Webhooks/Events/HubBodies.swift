import JSON

/// Docker Hub's pushes.
struct DockerHubBody {
    let body: JSONValue

    var pushes: [ImagePush] {
        guard let repository = body["repository"]["repo_name"].text else { return [] }
        return [ImagePush(registry: "docker.io", repository: repository, tag: body["push_data"]["tag"].text)]
    }
}

/// Alibaba Cloud's registries, whose host the body does not say.
struct AliyunBody {
    let body: JSONValue

    var pushes: [ImagePush] {
        guard let repository = body["repository"]["repo_full_name"].text else { return [] }
        let push = body["push_data"]
        return [ImagePush(repository: repository, tag: push["tag"].text, digest: push["digest"].text)]
    }
}

/// Quay's `repo_push`.
struct QuayBody {
    let body: JSONValue

    var pushes: [ImagePush] {
        guard let url = body["docker_url"].text, let slash = url.firstIndex(of: "/") else { return [] }
        let push = ImagePush(registry: String(url[..<slash]), repository: String(url[url.index(after: slash)...]))
        let tags: [String] =
            switch body["updated_tags"] {
            case .array(let items): items.compactMap(\.text)
            // Of ancient versions.
            case .object(let members): members.keys.sorted()
            default: []
            }
        return tags.map { tag in
            var push = push
            push.tag = tag
            return push
        }
    }
}

/// Amazon's registries, by way of EventBridge.
struct ECRBody {
    let body: JSONValue

    var pushes: [ImagePush] {
        let detail = body["detail"]
        guard body["source"].text == "aws.ecr", detail["action-type"].text == "PUSH",
            detail["result"].text == "SUCCESS", let repository = detail["repository-name"].text,
            let account = body["account"].text, let region = body["region"].text
        else { return [] }
        let domain = region.hasPrefix("cn-") ? "amazonaws.com.cn" : "amazonaws.com"
        return [
            ImagePush(
                registry: "\(account).dkr.ecr.\(region).\(domain)", repository: repository,
                tag: detail["image-tag"].text, digest: detail["image-digest"].text)
        ]
    }
}
