// The JavaScript SDK, asked line by line: node js_driver.cjs '{"endpoint", "virtual", "bucket", "names"}'
const fs = require("node:fs");
const http = require("node:http");
const readline = require("node:readline");
const sdk = require("@aws-sdk/client-s3");
const { createPresignedPost } = require("@aws-sdk/s3-presigned-post");
const { getSignedUrl } = require("@aws-sdk/s3-request-presigner");

const place = JSON.parse(process.argv[2]);

// Names that are loopback here, some with a port of their own, as in names.py.
class Agent extends http.Agent {
  createConnection(options, callback) {
    for (const [suffix, port] of Object.entries(place.names)) {
      if (options.host === suffix || options.host.endsWith(`.${suffix}`)) {
        return super.createConnection({ ...options, host: "127.0.0.1", port: port ?? options.port }, callback);
      }
    }
    return super.createConnection(options, callback);
  }
}

const configuration = {
  endpoint: place.endpoint,
  region: process.env.AWS_DEFAULT_REGION,
  forcePathStyle: !place.virtual,
  maxAttempts: 1,
  requestHandler: { httpAgent: new Agent({ keepAlive: true }) },
};
const s3 = new sdk.S3Client(configuration);
// Its URLs would else name the checksum of an empty body.
const presigner = new sdk.S3Client({ ...configuration, requestChecksumCalculation: "WHEN_REQUIRED" });

const command = (name, input) => new sdk[`${name}Command`]({ Bucket: place.bucket, ...input });

const verbs = {
  async send(name, input, file) {
    const { $metadata, ...out } = await s3.send(command(name, file ? { ...input, Body: fs.readFileSync(file) } : input));
    return out;
  },
  async put(Key, file) {
    await s3.send(command("PutObject", { Key, Body: fs.readFileSync(file) }));
  },
  async stream(Key, file) {
    const ContentLength = fs.statSync(file).size;
    await s3.send(command("PutObject", { Key, Body: fs.createReadStream(file), ContentLength }));
  },
  async get(input, file) {
    const { Body } = await s3.send(command("GetObject", input));
    fs.writeFileSync(file, await Body.transformToByteArray());
  },
  presign: (name, input) => getSignedUrl(presigner, command(name, input)),
  post: (Key) => createPresignedPost(presigner, { Bucket: place.bucket, Key }),
};

async function main() {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const [verb, ...words] = JSON.parse(line);
    let answer;
    try {
      answer = { out: (await verbs[verb](...words)) ?? null };
    } catch (error) {
      answer = { error: `${error.name}: ${error.message}` };
    }
    process.stdout.write(`${JSON.stringify(answer)}\n`);
  }
}

main();
